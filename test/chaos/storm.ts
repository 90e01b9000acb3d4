/** What goes wrong, in an order drawn from a seed. */
import { Effect, Fiber, Random, Semaphore } from "effect"
import type { Fault } from "../../src/fal-simulator/Fault.ts"
import type { Arena } from "./arena.ts"
import type { Strike, Strikes } from "./Strikes.ts"
import { type Step, stepsOf } from "./Watch.ts"
import type { Worker } from "./Worker.ts"

/** A lease lasts 30 s from the last beat. */
const LONGER_THAN_A_LEASE = "34 seconds"
/** Far longer than a worker needs to come to any step: a restart, and a picture or two. */
const PATIENCE = "2 minutes"

// A 5xx would make the submit uncertain, and a second one for the same task its end, as promised; answers are lost by wire.
const troubles: ReadonlyArray<Fault> = [
  { route: "submit", kind: "busy", ms: 1000 },
  { route: "submit", kind: "delay", ms: 700 },
  { route: "submit", kind: "job-error", type: "internal_error" },
  { route: "submit", kind: "job-slow", ms: 2500 },
  { route: "status", kind: "error", status: 503 },
  { route: "status", kind: "gateway" },
  { route: "status", kind: "accept-then-reset" },
  { route: "stream", kind: "stream-silent" },
  { route: "stream", kind: "stream-cut" },
  { route: "stream", kind: "stream-lies" },
  { route: "result", kind: "error", status: 500 },
  { route: "result", kind: "accept-then-truncate" }
]

type Event = Strike | { readonly how: "kill at random" | "fal trouble" | "Redis" | "PgBouncer" | "PostgreSQL" | "media store" }

export type Length = "short" | "long"
/** A kill at each step, a lost answer at each (in the short form where it matters most), and the rest. */
const eventsOf = (length: Length, { shelf }: Arena): ReadonlyArray<Event> => {
  const steps = stepsOf(shelf !== undefined)
  const loses: ReadonlyArray<Step> =
    length === "long" ? steps : ["intended", "submitted, not journalled", "inserted, not committed", "result stored"]
  const others: ReadonlyArray<Exclude<Event, Strike>["how"]> =
    length === "long"
      ? [
          "kill at random",
          "kill at random",
          "kill at random",
          "kill at random",
          "Redis",
          "PgBouncer",
          "PostgreSQL",
          "fal trouble"
        ]
      : ["kill at random", "kill at random", "Redis", "PgBouncer"]
  return [
    ...steps.map((step) => ({ how: "kill", step }) as const),
    ...loses.map((step) => ({ how: "lose", step }) as const),
    ...[...others, "fal trouble" as const].map((how) => ({ how })),
    ...(shelf?.server === undefined ? [] : [{ how: "media store" } as const])
  ]
}

export const makeStorm = (
  arena: Arena,
  strikes: Strikes,
  workers: ReadonlyArray<Worker>,
  log: (line: string) => void,
  /** How long the media store is away when it is for the first time (seconds). */
  away: number
) => {
  const counts = {
    random: 0,
    frozen: 0,
    faults: 0,
    "Redis stopped": 0,
    "Redis killed": 0,
    PgBouncer: 0,
    PostgreSQL: 0,
    "store away": 0
  }
  const missed: Array<string> = []
  /** Nobody sends while Redis is away: this is not about the sender. */
  const calm = Semaphore.makeUnsafe(1)

  const trouble = (...faults: ReadonlyArray<Fault>) =>
    Effect.andThen(
      arena.faults(...faults),
      Effect.sync(() => (counts.faults += faults.length))
    )

  const strike = Effect.fnUntraced(function* (one: Strike) {
    // Again and again, as the first task that fal refuses may be one that is spared.
    const refusing = Effect.forever(Effect.andThen(trouble({ route: "submit", kind: "busy" }), Effect.sleep("3 seconds")))
    const waiting = one.step.startsWith("retry") ? Effect.raceFirst(strikes.arm(one), refusing) : strikes.arm(one)
    const struck = yield* Effect.timeoutOption(waiting, PATIENCE)
    if (struck._tag === "None") missed.push(`${one.how}: ${one.step}`)
    return struck
  })

  const killAtRandom = Effect.gen(function* () {
    for (let tries = 0; tries < 100; tries++) {
      yield* Effect.sleep(yield* Random.nextBetween(50, 600))
      const worker = yield* Random.choice(workers)
      if (worker.frozen || !worker.alive || strikes.spares(worker)) continue
      log(`kill ${worker.name} at random ${worker.watch.task ?? ""}`)
      strikes.kill(worker)
      counts.random++
      return
    }
    missed.push("kill at random")
  })

  const restart = Effect.fnUntraced(function* (what: "Redis" | "PgBouncer" | "PostgreSQL") {
    const server = { Redis: arena.redis, PgBouncer: arena.postgres.pgbouncer, PostgreSQL: arena.postgres.postgres }[what]
    // PostgreSQL's orphans would hold what its next start needs.
    const signal = what === "PgBouncer" ? "KILL" : what === "PostgreSQL" ? "INT" : yield* Random.choice(["KILL", "TERM"] as const)
    counts[what === "Redis" ? (signal === "KILL" ? "Redis killed" : "Redis stopped") : what]++
    log(`restart ${what} by ${signal}`)
    yield* Effect.promise(() => server.stop(signal))
    yield* Effect.sleep(yield* Random.nextBetween(200, 2500))
    yield* Effect.promise(() => server.start())
  })

  const withoutStore = Effect.gen(function* () {
    const server = arena.shelf?.server
    if (server === undefined) return
    const seconds = counts["store away"]++ === 0 ? away : yield* Random.nextBetween(1, 20)
    log(`the media store is away for ${seconds.toFixed(0)} s`)
    yield* Effect.promise(() => server.stop("TERM")) // by kill -9 it would lose what it has not written to the disk
    yield* Effect.sleep(seconds * 1000)
    yield* Effect.promise(() => server.start())
    log("the media store is back")
  })

  const happen = Effect.fnUntraced(function* (event: Event) {
    switch (event.how) {
      case "kill at random":
        return yield* killAtRandom
      case "fal trouble":
        return yield* trouble(...(yield* Random.shuffle(troubles)).slice(0, 3))
      case "Redis":
        return yield* calm.withPermits(1)(restart("Redis"))
      case "PgBouncer":
      case "PostgreSQL":
        return yield* restart(event.how)
      case "media store":
        return yield* withoutStore
      default:
        yield* strike(event)
    }
  })

  /** Every event once, each after a breath, while one worker is frozen for longer than its lease and the other has to do. */
  const round = Effect.fnUntraced(function* (length: Length, breathe: Effect.Effect<void>) {
    const step = yield* Random.choice(["claimed", "journalled", "generated", "saved", "result stored"] as const)
    const frozen = yield* strike({ how: "freeze", step })
    const thawing = yield* Effect.forkChild(
      Effect.gen(function* () {
        if (frozen._tag === "None") return
        yield* Effect.sleep(LONGER_THAN_A_LEASE)
        frozen.value.thaw()
        counts.frozen++
        log(`thaw ${frozen.value.name}`)
      })
    )
    for (const event of yield* Random.shuffle(eventsOf(length, arena))) yield* Effect.andThen(breathe, happen(event))
    yield* Fiber.join(thawing)
  })

  return { round, calm, counts, missed }
}
export type Storm = ReturnType<typeof makeStorm>
