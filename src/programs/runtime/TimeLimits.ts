import { Duration, Effect, Exit, Fiber, Option, Schema } from "effect"
import { within } from "../supervision/within.ts"

/** The soft limit passed and nothing could be saved of the work. */
export class SoftTimeLimit extends Schema.TaggedError<SoftTimeLimit>()("SoftTimeLimit", {}) {}
/** The hard limit passed. The work may live on, unseen: whoever ran it must retire. */
export class HardTimeLimit extends Schema.TaggedError<HardTimeLimit>()("HardTimeLimit", {}) {}

/** How long an interruption waits for the finalizers of what it interrupts. */
const PATIENCE = Duration.seconds(5)

/**
 * At `soft` the work is interrupted and `rescue` may still end it well; at `hard` we stop waiting for either, whatever they
 * do. A soft limit that is not below the hard one never comes. `orElse` ends it at any time in the work's place. When this is
 * interrupted itself, so is the work.
 */
export const withTimeLimits = Effect.fnUntraced(function* <A, E, R, R2>(
  work: Effect.Effect<A, E, R>,
  limits: {
    readonly soft: Duration.Duration
    readonly hard: Duration.Duration
    readonly rescue: Effect.Effect<Option.Option<A>, E, R2>
    readonly orElse?: Effect.Effect<A>
  }
) {
  // Detached, because a timeout waits for what it interrupts, and we must be able to leave.
  const working = yield* Effect.forkDetach(work, { startImmediately: true })
  // Most work that asks nobody is done by now, and needs no timer.
  const exit = working.pollUnsafe()
  if (exit !== undefined) return yield* exit
  const limited = limit(working, limits)
  return yield* limits.orElse === undefined ? limited : Effect.raceFirst(limited, limits.orElse)
})

const limit = <A, E, R>(
  working: Fiber.Fiber<A, E>,
  limits: {
    readonly soft: Duration.Duration
    readonly hard: Duration.Duration
    readonly rescue: Effect.Effect<Option.Option<A>, E, R>
  }
) => {
  const fibers: Array<Fiber.Fiber<unknown, unknown>> = [working]
  return Effect.gen(function* () {
    const soft = Duration.min(limits.soft, limits.hard)
    const ended = yield* Effect.timeoutOption(Fiber.await(working), soft)
    if (Option.isSome(ended)) return yield* ended.value
    working.interruptUnsafe()

    if (Duration.isLessThanOrEqualTo(limits.hard, soft)) return yield* new HardTimeLimit()
    const left = Duration.subtract(limits.hard, soft)
    const rescuing = yield* Effect.forkDetach(
      Effect.flatMap(Fiber.await(working), (exit): Effect.Effect<Option.Option<A>, E, R> =>
        // It may have ended by itself in the same instant.
        Exit.isSuccess(exit) ? Effect.succeedSome(exit.value) : limits.rescue
      ),
      { startImmediately: true }
    )
    fibers.push(rescuing)
    const rescued = yield* Effect.timeoutOption(Fiber.await(rescuing), left)
    if (Option.isNone(rescued)) {
      rescuing.interruptUnsafe()
      return yield* new HardTimeLimit()
    }
    const value = yield* rescued.value
    return Option.isSome(value) ? value.value : yield* new SoftTimeLimit()
  }).pipe(
    Effect.onInterrupt(() =>
      Effect.suspend(() => {
        for (const fiber of fibers) fiber.interruptUnsafe()
        return within(Fiber.awaitAll(fibers), PATIENCE)
      })
    )
  )
}
