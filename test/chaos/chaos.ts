/** The chaos run: two real workers on real servers in a storm, and then what became of every task. */
import { Clock, Effect, Random } from "effect"
import { randomUUID } from "node:crypto"
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { alone, makeArena, type Store } from "./arena.ts"
import { later } from "./later.ts"
import { compare } from "./Shelf.ts"
import { judge, type Sent } from "./judge.ts"
import { type Length, makeStorm } from "./storm.ts"
import { Strikes } from "./Strikes.ts"
import { supervised } from "./Worker.ts"

export interface Options {
  readonly python: string
  readonly seed: string
  readonly length: Length
  /** At least so many; the queue is kept filled for as long as the storm lasts. */
  readonly tasks: number
  /** The storm lasts at least so long. */
  readonly minutes: number
  /** Where the workers keep pictures. */
  readonly store?: Store
  /** How long the store is away, the first time (seconds). */
  readonly away?: number
  /** With what the workers sign pictures, and the judge of that. */
  readonly signing?: { readonly cert: string; readonly key: string; readonly python: string }
  /** Whether a week goes by after the storm. */
  readonly aWeekLater?: boolean
}

const BATCH = 15
/** Between two events of a long storm, so that hundreds of tasks meet it and not the same few again and again. */
const TASKS_AN_EVENT = 4
/** After the storm an uncertain submit still waits for its grace, and a lost answer for whoever looks after it. */
const PATIENCE = 180_000
/** What may stay on the broker for ever: who is there, how they are reached; and what the scripts sweep after a week. */
const lasting =
  /^(model-generator\.(leases|workers|steady|heads|revoked|journal:\*|journal-kept|journal-state:\w+|once:\*|once-kept|lives(:\*|-bytes)?|budget(:\*|-periods))|_kombu\.binding\.\*)$/

export const chaos = Effect.fnUntraced(function* (options: Options) {
  const arena = yield* makeArena(options.python, yield* alone, options.store)
  const began = yield* Clock.currentTimeMillis
  const since = Effect.map(Clock.currentTimeMillis, (now) => (now - began) / 1000)
  const log = (line: string) =>
    appendFileSync(join(arena.folder, "storm.log"), `${((Date.now() - began) / 1000).toFixed(1)} ${line}\n`)

  const grace = options.length === "long" ? 60 : 15 // longer than a restart, or one that comes too early would not show
  const strikes = new Strikes(log)
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
        FAL_UNCERTAIN_GRACE: String(grace),
        WATCHDOG_LIMIT: "600", // a thawed worker is to go on, not to be ended for having stood still
        LOG_FORMAT: "json",
        ...(options.signing === undefined ? {} : { C2PA_CERT: options.signing.cert, C2PA_KEY: options.signing.key })
      }),
      log: join(arena.folder, `${name}.log`),
      look: strikes.look
    })
  )
  const storm = makeStorm(arena, strikes, workers, log, options.away ?? 20)

  const sent: Array<Sent> = []
  let over = false
  let events = 0
  const breathe = Effect.gen(function* () {
    if (options.length === "short") return
    events++
    while (sent.length - (yield* arena.waiting) < events * TASKS_AN_EVENT) yield* Effect.sleep("100 millis")
  })
  const rage = Effect.gen(function* () {
    do yield* storm.round(options.length, breathe)
    while (sent.length < options.tasks || (yield* since) < options.minutes * 60)
    over = true
  })
  const feed = Effect.gen(function* () {
    if ((yield* arena.waiting) < BATCH / 3) {
      const batch = Array.from({ length: BATCH }, (_, at) => {
        const number = sent.length + at + 1
        return { id: randomUUID(), template: `chaos_${number}`, seed: number }
      })
      yield* storm.calm.withPermits(1)(arena.send(batch))
      sent.push(...batch)
    }
    yield* Effect.sleep("200 millis")
  }).pipe(Effect.repeat({ until: () => over && sent.length >= options.tasks }))
  yield* Effect.all([rage, feed], { concurrency: "unbounded" }).pipe(Random.withSeed(options.seed))

  const deadline = (yield* Clock.currentTimeMillis) + PATIENCE
  while ((yield* arena.open) + (yield* arena.owed) > 0 && (yield* Clock.currentTimeMillis) < deadline)
    yield* Effect.sleep("500 millis")

  const [ledger, rows, answers] = [yield* arena.ledger, yield* arena.rows, yield* arena.read(sent)]
  const books = yield* arena.books
  const keys = yield* arena.keys
  const { shelf } = arena
  const week =
    options.aWeekLater === true && shelf !== undefined ? yield* later(arena, shelf, options.signing?.python) : undefined
  const compared = shelf === undefined ? { wrong: [], orphans: [] } : yield* Effect.promise(() => compare(shelf, rows))
  return {
    folder: arena.folder,
    sent: sent.length,
    seconds: yield* since,
    verdict: judge({ sent, ledger, rows, books, answers, uncertain: strikes.uncertain, grace }),
    wrongFiles: [...compared.wrong, ...compared.orphans],
    week,
    keys,
    left: keys.filter(({ family, forever }) => forever > 0 && !lasting.test(family)),
    unasked: workers.flatMap(({ unasked }) => unasked),
    strikes,
    storm
  }
})
export type Outcome = Effect.Success<ReturnType<typeof chaos>>
