import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { fixture } from "../programs/celery/fixtures.ts"
import { describeWith } from "../servers/index.ts"
import { eventually, message } from "../support.ts"
import { celery, startCelery, startStock } from "./celeryCommand.ts"
import { five } from "./pictures.ts"
import { askPython, makeStage, nothing } from "./stage.ts"

const generate = (id: string, over: object = {}) => message({ id, task: "generate_model", kwargs: five, ...over })

/** What the CLI printed of a stock 5.3.6 worker, under our worker's name. */
const printed = (name: string) => {
  const item = fixture<ReadonlyArray<{ name: string; stdout: string; stderr: string; exit_code: number }>>("pidbox-5.3.6").find(
    (one) => one.name === name
  )!
  return {
    code: item.exit_code,
    out: item.stdout.replaceAll("w1@host", "celery@stage").replaceAll("app.tasks.add", "generate_model"),
    err: item.stderr
  }
}

const said = {
  status: "status",
  ping: "inspect ping",
  "ping-json": "inspect ping -j",
  "ping-destination-unknown": "inspect ping -d nobody@host -t 0.5",
  "active-empty": "inspect active",
  revoke_by_stamped_headers: "control revoke_by_stamped_headers project=p1",
  "rate_limit-bad": "control rate_limit generate_model xx/y",
  pool_grow: "control pool_grow 1",
  add_consumer: "control add_consumer media",
  cancel_consumer: "control cancel_consumer media",
  "autoscale-disabled": "control autoscale 3 1",
  heartbeat: "control heartbeat",
  objgraph: "inspect objgraph"
} as const

for (const client of ["celery53", "celery56"] as const) {
  describeWith(["redis", "postgres", client], `the celery command (${client}) before a real worker`, (servers) => {
    const { python } = servers[client]

    it.live(
      "prints of it what it prints of a stock worker, with the same exit code, while its only slot is busy",
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers, { pictureSeconds: 300 })
          yield* stage.start()
          yield* stage.push(generate("busy"))
          yield* eventually("it runs", celery(python, stage, "inspect", "active", "-j"), ({ out }) => out.includes('"busy"'))
          const check = Effect.fnUntraced(function* ([name, command]: readonly [string, string]) {
            const { code, err, out } = yield* celery(python, stage, ...command.split(" "))
            const expected = printed(name)
            if (name === "active-empty") {
              assert.match(out, /^-> {2}celery@stage: OK\n {4}\* \{'id': 'busy', 'name': 'generate_model', 'args': \[\], /)
              assert.match(out, /'worker_pid': \d+\}\n\n1 node online\.\n$/)
            } else assert.deepStrictEqual([name, out.trimEnd()], [name, expected.out.trimEnd()])
            assert.strictEqual(code, expected.code, `${name}: ${err}`)
          })
          // Each waits a second for whoever else may answer.
          yield* Effect.forEach(Object.entries(said), check, { concurrency: 3 })
          const ended = yield* celery(python, stage, "control", "revoke", "busy", "--terminate")
          if (ended.code !== 0) yield* celery(python, stage, "control", "terminate", "SIGTERM", "busy")
          yield* eventually("it ends", stage.result("busy"), (document) => document !== undefined)
          assert.strictEqual((yield* stage.result("busy"))?.status, "REVOKED")
          yield* eventually("fal is asked to cancel", stage.fal.calls, ({ cancel }) => cancel > 0)
          assert.deepStrictEqual(yield* stage.left, nothing)
        }),
      120_000
    )

    it.live(
      "shuts it down warmly, with exit code 0 and nothing left behind",
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers, { pictureSeconds: 6 })
          const worker = yield* stage.start()
          yield* stage.push(generate("last"))
          yield* eventually("it runs", stage.fal.ledger, (rows) => rows.length === 1)
          const { code } = yield* celery(python, stage, "control", "shutdown", "-t", "0.5")
          assert.strictEqual(code, printed("control-shutdown").code)
          assert.deepStrictEqual(yield* worker.exited, { code: 0, signal: null })
          assert.strictEqual((yield* stage.result("last"))?.status, "SUCCESS")
          assert.deepStrictEqual(yield* stage.left, nothing)
          const ears = yield* Effect.promise(() => stage.raw.broker.scard("_kombu.binding.celery.pidbox"))
          assert.strictEqual(ears, 0)
        }),
      60_000
    )
  })
}

describeWith(["redis", "postgres", "celery53"], "celery events before a real worker", (servers) => {
  it.live(
    "shows a task's life",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        yield* stage.start({ WORKER_SEND_TASK_EVENTS: "true" })
        const dump = yield* startCelery(servers.celery53.python, stage, ["events", "--dump"])
        yield* eventually("it listens", dump.printed, (text) => text.includes("heartbeat"))
        yield* stage.push(generate("life"))
        yield* stage.final("life")
        const text = yield* eventually("it has seen all", dump.printed, (all) => /succeeded/.test(all))
        const life = text.split("\n").filter((line) => line.includes("life"))
        assert.match(life[0]!, /received/)
        assert.match(life[1]!, /started/)
        assert.match(life[2]!, /succeeded/)
      }),
    60_000
  )
})

describeWith(
  ["redis", "postgres", "celery57"],
  "a worker of Celery 5.7, which sweeps bindings whose deadline has passed",
  (servers) => {
    it.live(
      "leaves ours reachable: commands get their answers from both, and a client its result",
      () =>
        Effect.gen(function* () {
          const { python } = servers.celery57
          const stage = yield* makeStage(servers)
          yield* stage.start()
          const ping = celery(python, stage, "inspect", "ping")
          assert.match((yield* ping).out, /celery@stage: OK/)
          const deadlines = "_kombu.binding_deadlines"
          const overdue = Effect.promise(() => stage.raw.broker.zcount(deadlines, "-inf", "1"))
          for (const exchange of yield* Effect.promise(() => stage.raw.broker.zrange(deadlines, "0", "-1")))
            yield* Effect.promise(() => stage.raw.broker.zadd(deadlines, "1", exchange))
          assert.isAbove(yield* overdue, 0)

          yield* startStock(python, stage)
          yield* eventually("it has swept", overdue, (count) => count === 0, 20)
          const { out } = yield* ping
          assert.match(out, /celery@stage: OK/)
          assert.match(out, /stock@host: OK/)
          const [answer] = yield* askPython(python, stage, [{ task: "generate_model", kwargs: five }])
          assert.strictEqual(answer?.["state"], "SUCCESS")
        }),
      60_000
    )
  }
)
