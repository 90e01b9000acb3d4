/**
 * `npm run chaos -- --tasks 400 --minutes 5 --seed 7`: real processes in a storm. `--promotions 8`: Redis is promoted away from
 * them so often instead. `--keep`: the workers have a media store, a folder, and are killed at its steps too. Exits 1 when a promise was broken.
 * Needs redis-server, PostgreSQL, PgBouncer and python3-venv, like the tests.
 */
import { Effect, type Scope } from "effect"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Python from "../servers/Python.ts"
import { chaos } from "./chaos.ts"
import * as Failovers from "./failovers.ts"
import { broken, summary, table } from "./report.ts"

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "400" },
    minutes: { type: "string", default: "0" },
    seed: { type: "string", default: String(process.pid) },
    short: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    promotions: { type: "string" }
  }
})
const celery = await Python.ensure("celery53", join(import.meta.dirname, "..", "..", ".venv"), Python.environments.celery53)
if ("missing" in celery) throw new Error(celery.missing)

const say = (text: string) => void process.stdout.write(`${text}\n`)
say(`seed ${values.seed}`)
const stop = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect), { signal: stop.signal })
const { python } = celery
if (values.promotions === undefined) {
  const outcome = await run(
    chaos({
      python,
      seed: values.seed,
      length: values.short ? "short" : "long",
      tasks: Number(values.tasks),
      minutes: Number(values.minutes),
      keepsPictures: values.keep
    })
  )
  const problems = broken(outcome)
  say([table(outcome), "", ...problems, `chaos: ${summary(outcome)}`, `what happened: ${outcome.folder}`].join("\n"))
  process.exitCode = problems.length > 0 ? 1 : 0
} else {
  const outcome = await run(Failovers.failovers({ python, seed: values.seed, promotions: Number(values.promotions) }))
  const problems = Failovers.broken(outcome)
  say([...problems, `failovers: ${Failovers.summary(outcome)}`, `what happened: ${outcome.folder}`].join("\n"))
  process.exitCode = problems.length > 0 ? 1 : 0
}
