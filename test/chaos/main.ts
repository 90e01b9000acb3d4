/**
 * `npm run chaos -- --tasks 400 --minutes 5 --seed 7`: real processes in a storm. `--promotions 8`: Redis is promoted away from
 * them so often instead. `--keep`: the workers have a media store, a folder, and are killed at its steps too. `--bucket`: a bucket of
 * SeaweedFS instead, which is away for `--away 600` seconds; with `--sign` they sign pictures. Then eight days go by, `library gc` runs, and
 * each file is judged. Exits 1 when a promise was broken.
 * `--budget`: three workers of eight slots and a cap on money, which is raised twice.
 * Needs redis-server, PostgreSQL, PgBouncer and python3-venv, like the tests.
 */
import { Effect, type Scope } from "effect"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { makeCertificate } from "../c2pa.ts"
import { temporaryFolder } from "../servers/Process.ts"
import * as Python from "../servers/Python.ts"
import * as Seaweed from "../servers/Seaweed.ts"
import { chaos } from "./chaos.ts"
import * as Failovers from "./failovers.ts"
import * as Money from "./money.ts"
import { broken, summary, table } from "./report.ts"

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "400" },
    minutes: { type: "string", default: "0" },
    seed: { type: "string", default: String(process.pid) },
    short: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    bucket: { type: "boolean", default: false },
    away: { type: "string", default: "20" },
    sign: { type: "boolean", default: false },
    budget: { type: "boolean", default: false },
    kills: { type: "string", default: "30" },
    promotions: { type: "string" }
  }
})
const cache = join(import.meta.dirname, "..", "..", ".venv")
const there = <A extends object>(found: A | { readonly missing: string }): A => {
  if ("missing" in found) throw new Error(found.missing)
  return found
}
const { python } = there(await Python.ensure("celery53", cache, Python.environments.celery53))
const seaweed = async () => there(await Seaweed.ensure(cache))
const signing = async () => ({
  ...(await makeCertificate(temporaryFolder("signing"), "P-256")),
  ...there(await Python.ensure("c2pa", cache, Python.environments.c2pa))
})

const say = (text: string) => void process.stdout.write(`${text}\n`)
say(`seed ${values.seed}`)
const stop = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect), { signal: stop.signal })
if (values.budget) {
  const outcome = await run(Money.money({ python, seed: values.seed, tasks: Number(values.tasks), kills: Number(values.kills) }))
  const problems = Money.broken(outcome)
  say([...problems, `money: ${Failovers.summary(outcome)}`, `what happened: ${outcome.folder}`].join("\n"))
  process.exitCode = problems.length > 0 ? 1 : 0
} else if (values.promotions === undefined) {
  const outcome = await run(
    chaos({
      python,
      seed: values.seed,
      length: values.short ? "short" : "long",
      tasks: Number(values.tasks),
      minutes: Number(values.minutes),
      store: values.bucket ? await seaweed() : values.keep ? "folder" : "none",
      away: Number(values.away),
      aWeekLater: values.bucket,
      ...(values.sign ? { signing: await signing() } : {})
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
