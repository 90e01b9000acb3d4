import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describeWith } from "../servers/index.ts"
import { freePort } from "../servers/Process.ts"
import { eventually } from "../support.ts"
import { alone, makeArena } from "./arena.ts"

/**
 * A process on a machine of its own that is set up like every other: the same host name and, as in a container, process id 1.
 * Only the number that Linux gives a machine at its start tells two of them apart.
 */
const onMachine = (folder: string, name: string, command: ReadonlyArray<string>) => {
  const bootId = join(folder, `boot-id-${name}`)
  writeFileSync(bootId, `${randomUUID()}\n`)
  const asMachine = `mount --bind ${bootId} /proc/sys/kernel/random/boot_id && hostname generator && exec "$@"`
  const apart = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
  return [...apart, "sh", "-c", asMachine, "sh", ...command]
}

const possible = spawnSync("unshare", ["--mount", "--uts", "--pid", "--fork", "--mount-proc", "true"]).status === 0

describeWith(
  ["redis", "postgres", "celery53"],
  "two processes of one name on two machines that are set up alike",
  ({ celery53 }) => {
    if (!possible) {
      it.skip("needs the right to make namespaces (root)")
      return
    }
    it.live(
      "the second refuses and says why, and what the first has in hand is unharmed",
      () =>
        Effect.gen(function* () {
          const arena = yield* makeArena(celery53.python, yield* alone)
          const { command, env, targets } = arena.worker
          const shared = { ...env(targets), WORKER_NAME: "celery@%h", LOG_FORMAT: "json", HOSTNAME: "generator" }
          const start = (name: string) =>
            Effect.acquireRelease(
              Effect.promise(async () => {
                const folder = join(arena.folder, name)
                mkdirSync(folder, { recursive: true })
                const log = openSync(join(folder, "log"), "a")
                const [program, ...args] = onMachine(folder, name, command)
                const port = String(await freePort())
                const own = { PATH: process.env["PATH"], ...shared, METRICS_PORT: port }
                const child = spawn(program!, args, { env: own, stdio: ["ignore", log, log] })
                const read = () => readFileSync(join(folder, "log"), "utf8")
                return { child, ended: once(child, "exit") as Promise<[number | null]>, read } // exit's own arguments
              }),
              ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
            )
          const tasks = Array.from({ length: 6 }, (_, at) => ({ id: randomUUID(), template: `alike_${at}`, seed: at + 1 }))
          // Their pictures take longer than a beat, in which the second would take the first for dead.
          yield* arena.faults(...tasks.map(() => ({ route: "submit", kind: "job-slow", ms: 7000 }) as const))
          const first = yield* start("first")
          yield* eventually(
            "the first has its lease",
            Effect.sync(() => first.read()),
            (log) => log.includes("ready"),
            20
          )
          yield* arena.send(tasks)
          yield* Effect.sleep("2 seconds")
          const second = yield* start("second")
          const [code] = yield* Effect.promise(() => second.ended)

          assert.strictEqual(code, 1)
          assert.match(second.read(), /another worker called celery@generator is alive on this broker/)
          yield* eventually("all have ended", Effect.delay(arena.open, "200 millis"), (open) => open === 0, 60)
          const answers = yield* arena.read(tasks)
          assert.deepStrictEqual(
            tasks.map(({ id }) => answers.get(id)?.state),
            tasks.map(() => "SUCCESS")
          )
          const paid = (yield* arena.ledger).filter(({ units }) => units > 0)
          assert.strictEqual(paid.length, tasks.length)
          assert.notInclude(first.read(), "dead worker")
          assert.isNull(first.child.exitCode)
          rmSync(arena.folder, { recursive: true })
        }),
      180_000
    )
  }
)
