import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { describeWith } from "../servers/index.ts"
import { eventually } from "../support.ts"
import { canvases, stockFails } from "./canvases.ts"
import { five } from "./pictures.ts"
import { makeStage, nothing } from "./stage.ts"

const Answers = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))
type Where = { readonly broker: { readonly url: string }; readonly backend: { readonly url: string } }

/** A Python process beside the module of `theirs`; killed with the scope if it still runs. */
const python = Effect.fnUntraced(function* (interpreter: string, args: ReadonlyArray<string>, where: Where, env = {}) {
  const out = { stdout: "", stderr: "" }
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(interpreter, args, {
        cwd: import.meta.dirname,
        env: {
          PATH: process.env["PATH"],
          BROKER: where.broker.url,
          BACKEND: where.backend.url,
          PYTHONDONTWRITEBYTECODE: "1",
          PYTHONWARNINGS: "ignore",
          ...env
        },
        stdio: ["pipe", "pipe", "pipe"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => (out[name] += text))
  return { child, out }
})

const stockWorker = Effect.fnUntraced(function* (interpreter: string, where: Where, queues: string, env = {}) {
  const args = [
    "-m",
    "celery",
    "-A",
    "canvas_app",
    "worker",
    "-Q",
    queues,
    "-P",
    "threads",
    "-c",
    "2",
    "-n",
    "theirs@stage",
    "-l",
    "INFO"
  ]
  const { out } = yield* python(interpreter, args, where, env)
  yield* eventually(
    "the stock worker is up",
    Effect.sync(() => out.stdout + out.stderr),
    (text) => text.includes(" ready.")
  )
})

const askClient = Effect.fnUntraced(function* (interpreter: string, where: Where, asked: object) {
  const { child, out } = yield* python(interpreter, ["canvas_client.py"], where)
  const code = yield* Effect.callback<number | null>((resume) => {
    child.once("close", (code) => resume(Effect.succeed(code)))
    child.stdin.end(JSON.stringify({ five, ...asked }))
  })
  if (code !== 0) return yield* Effect.die(new Error(`canvas_client.py ended with ${code}: ${out.stderr}`))
  return yield* Schema.decodeEffect(Answers)(out.stdout)
})

for (const version of ["celery53", "celery56", "celery57"] as const) {
  describeWith(["redis", "postgres", version], `canvases of a Python client (${version})`, (servers) => {
    const interpreter = servers[version].python

    it.live(
      "go back and forth between its own worker and ours, and all come to their end",
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers)
          yield* stage.start({ WORKER_CONCURRENCY: "2" })
          yield* stockWorker(interpreter, stage, "theirs")
          assert.deepStrictEqual(yield* askClient(interpreter, stage, { timeout: 20 }), canvases)
          // A stock worker acknowledges a task after it has stored the result, so the client may be done first.
          yield* eventually("all is acknowledged", stage.left, (left) => left.unacked === 0)
          assert.deepStrictEqual(yield* stage.left, nothing)
          // The parts of a failed chord are left to expire, as stock leaves them; those of the others are gone.
          const parts = yield* Effect.promise(() => stage.raw.backend.keys("celery-taskset-meta-*.j"))
          for (const key of parts)
            assert.match((yield* Effect.promise(() => stage.raw.backend.zrange(key, "0", "-1"))).join(), /"FAILURE"/)
        }),
      120_000
    )

    // The oracle compares 5.7 by itself.
    if (version === "celery57") return
    it.live(
      "end the same with a stock worker in our place, but for those it leaves hanging",
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers)
          yield* stockWorker(interpreter, stage, "theirs,generator_queue", { STAND_IN: "1" })
          const only = Object.keys(canvases).filter((name) => !stockFails.includes(name))
          const expected = Object.fromEntries(only.map((name) => [name, canvases[name]]))
          assert.deepStrictEqual(yield* askClient(interpreter, stage, { timeout: 20, only }), expected)
        }),
      120_000
    )
  })
}
