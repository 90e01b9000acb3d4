/** Two real workers whose Redis is promoted away from them again and again, and then what became of every task. */
import { Clock, Effect, Random, Semaphore } from "effect"
import { randomUUID } from "node:crypto"
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import type { Seen } from "../servers/wire.ts"
import { makeArena } from "./arena.ts"
import { judge, type Sent } from "./judge.ts"
import { makePair } from "./pair.ts"
import { supervised, type Worker } from "./Worker.ts"

export interface Options {
  readonly python: string
  readonly seed: string
  readonly promotions: number
}

const BATCH = 12
const PATIENCE = 180_000
const GRACE = 15

export const failovers = Effect.fnUntraced(function* (options: Options) {
  const pair = yield* makePair
  const arena = yield* makeArena(options.python, pair.home)
  const began = yield* Clock.currentTimeMillis
  const log = (line: string) =>
    appendFileSync(join(arena.folder, "storm.log"), `${((Date.now() - began) / 1000).toFixed(1)} ${line}\n`)

  /** Seeds whose submit is out, and whose request id has not been seen in use: a death now makes them uncertain. */
  const asking = new Map<Worker, Set<number>>()
  const uncertain = new Set<number>()
  const watch = (worker: Worker, request: string): Seen["fate"] => {
    const seed = /"seed": ?(\d+)/.exec(request)?.[1]
    const open = asking.get(worker) ?? new Set()
    asking.set(worker, open)
    if (seed !== undefined) open.add(Number(seed))
    if (/^GET \S+\/requests\//.test(request)) open.clear()
    return "carry"
  }
  const workers = yield* Effect.forEach(["celery@one", "celery@two"], (name) =>
    supervised({
      name,
      command: arena.worker.command,
      targets: arena.worker.targets,
      env: (ports) => ({
        ...arena.worker.env(ports),
        WORKER_NAME: name,
        TASK_RETRY_BACKOFF: "0.2",
        TASK_RETRY_BACKOFF_MAX: "1",
        FAL_UNCERTAIN_GRACE: String(GRACE),
        LOG_FORMAT: "json"
      }),
      log: join(arena.folder, `${name}.log`),
      look: (worker, _glimpse, server, request) => (server === "fal" ? watch(worker, request) : "carry")
    })
  )
  let killed = 0
  const kill = (worker: Worker) =>
    Effect.sync(() => {
      log(`kill ${worker.name}`)
      for (const seed of asking.get(worker) ?? []) uncertain.add(seed)
      asking.delete(worker)
      worker.kill()
      killed++
    })

  const sent: Array<Sent> = []
  const calm = Semaphore.makeUnsafe(1)
  let over = false
  const feed = Effect.gen(function* () {
    if ((yield* arena.waiting) < BATCH / 3) {
      const batch = Array.from({ length: BATCH }, (_, at) => {
        const number = sent.length + at + 1
        return { id: randomUUID(), template: `chaos_${number}`, seed: number }
      })
      yield* arena.send(batch)
      sent.push(...batch)
    }
  }).pipe(calm.withPermits(1), Effect.andThen(Effect.sleep("200 millis")), Effect.repeat({ until: () => over }))
  const rage = Effect.gen(function* () {
    for (let done = 0; done < options.promotions; done++) {
      yield* Effect.sleep(yield* Random.nextBetween(1500, 3500))
      // Without a lag nearly nothing is forgotten, and a worker's death then shows that the rest was kept.
      const lag = yield* Random.choice([0, 300, 900, 1500])
      const victim = (yield* Random.nextBoolean) ? yield* Random.choice(workers) : undefined
      yield* calm.withPermits(1)(
        Effect.gen(function* () {
          yield* pair.inSync
          log(`promote after a lag of ${lag} ms${victim === undefined ? "" : `, and kill ${victim.name}`}`)
          yield* pair.promote(lag, victim === undefined ? Effect.void : kill(victim))
          log("promoted")
        })
      )
    }
    over = true
  })
  yield* Effect.all([rage, feed], { concurrency: "unbounded" }).pipe(Random.withSeed(options.seed))

  const deadline = (yield* Clock.currentTimeMillis) + PATIENCE
  while ((yield* arena.open) > 0 && (yield* Clock.currentTimeMillis) < deadline) yield* Effect.sleep("500 millis")
  const [ledger, rows, answers] = [yield* arena.ledger, yield* arena.rows, yield* arena.read(sent)]
  const verdict = judge({
    sent,
    ledger,
    rows,
    answers,
    uncertain: new Set(sent.flatMap(({ id, seed }) => (uncertain.has(seed) ? [id] : []))),
    grace: GRACE,
    forgotten: pair.forgotten
  })
  return {
    folder: arena.folder,
    verdict,
    unasked: workers.flatMap(({ unasked }) => unasked),
    counts: {
      tasks: sent.length,
      promotions: options.promotions,
      "workers killed": killed,
      "requests forgotten": pair.forgotten.requests.length,
      "paid again for that": verdict.repaid.length,
      "ends forgotten": pair.forgotten.ends.size,
      "not ended for that": verdict.forgotten.length,
      "uncertain resubmits": verdict.resubmitted.length,
      lost: verdict.lost.length,
      "saved twice": verdict.savedTwice.length,
      "paid twice": verdict.paidTwice.length,
      "wrong results": verdict.wrong.length,
      seconds: Math.round(((yield* Clock.currentTimeMillis) - began) / 1000)
    }
  }
})
type Outcome = Effect.Success<ReturnType<typeof failovers>>

/** Everything that must not be, in words; empty when every promise was kept. */
export const broken = ({ unasked, verdict }: Outcome): ReadonlyArray<string> => [
  ...(["lost", "savedTwice", "paidTwice", "wrong"] as const).flatMap((what) => verdict[what].map((about) => `${what}: ${about}`)),
  ...unasked.map((end) => `nobody killed it: ${end}`)
]

export const summary = ({ counts }: { readonly counts: Readonly<Record<string, number>> }): string =>
  Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(", ")
