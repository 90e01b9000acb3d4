import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { program } from "../programs/commands/program.ts"
import { describeWith } from "../servers/index.ts"
import { freePort } from "../servers/Process.ts"
import { uniqueId } from "../support.ts"
import { ask, paidAndSaved } from "./pictures.ts"
import { makeStage } from "./stage.ts"

const MEGABYTE = 1024 // kilobytes
const RECYCLE = 155

/**
 * `LEAK_TASKS=2000` for the long form; `LEAK_CGROUP`, a folder of cgroup's memory controller, to be held to its limit as well.
 */
const tasks = Number(process.env["LEAK_TASKS"] ?? 60)
const cgroup = process.env["LEAK_CGROUP"]

describeWith(["redis", "postgres"], "a worker that leaks 5 MB a task", (servers) => {
  const { start } = program() // as it is delivered: the bundle is smaller at rest
  it.live(
    "is replaced before it fills its 256 MB, in order: nothing is lost, paid twice or left to a lease",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 0.02 })
        const ids = Array.from({ length: tasks }, () => uniqueId("leak"))
        for (const id of ids) yield* stage.push(ask(id))

        const lives: Array<{ readonly peak: number; readonly pictures: number }> = []
        const port = yield* Effect.promise(freePort)
        const one = Effect.scoped(
          Effect.gen(function* () {
            const { child, ended, out } = yield* start(["worker"], {
              ...stage.env,
              METRICS_PORT: String(port),
              WORKER_MAX_MEMORY_PER_CHILD: String(210 * MEGABYTE),
              NODE_OPTIONS: `--import ${join(import.meta.dirname, "leak.ts")}`
            })
            if (cgroup !== undefined) writeFileSync(join(cgroup, "cgroup.procs"), String(child.pid))
            // A life may begin when all is done already; before it is ready a SIGTERM would not end it in order.
            const done = Effect.map(
              Effect.promise(() => stage.raw.backend.dbsize()),
              (results) => results >= tasks && out.stderr.includes("ready")
            )
            const finished = yield* done.pipe(
              Effect.delay("100 millis"),
              Effect.repeat({ until: (all) => all }),
              Effect.forkChild
            )
            const end = Effect.promise(() => ended)
            yield* Effect.raceFirst(end, Fiber.join(finished))
            child.kill("SIGTERM") // unless it has ended by itself
            const { code } = yield* end
            const output = out.stderr
            const [, peak, pictures] = /peak (\d+) kB after (\d+) pictures/.exec(output) ?? []
            lives.push({ peak: Number(peak), pictures: Number(pictures) })
            assert.notInclude(output, "dead worker held")
            // It may be ending by itself already when it is told to stop.
            return { code: child.signalCode === "SIGTERM" ? RECYCLE : code, output }
          })
        )
        while (true) {
          // As Docker does with `restart: unless-stopped`.
          const { code, output } = yield* one
          if (code === 0) break
          assert.strictEqual(code, RECYCLE, output)
          assert.include(output, "ended after exceeding its memory limit")
        }

        const ended = yield* Effect.forEach(ids, stage.result)
        assert.strictEqual(ended.filter((document) => document?.status === "SUCCESS").length, tasks)
        yield* paidAndSaved(stage, tasks)
        const largest = Math.max(...lives.map(({ peak }) => peak))
        yield* Effect.logInfo(`${tasks} tasks in ${lives.length} lives, the largest ${Math.round(largest / MEGABYTE)} MB`)
        assert.isAbove(lives.length, (tasks * 5) / 210)
        assert.isBelow(largest, 256 * MEGABYTE)
      }),
    tasks * 2000 + 60_000
  )
})
