import { Duration, Effect, Exit, Fiber, Option, Schema } from "effect"
import { within } from "./within.ts"

/** The soft limit passed and nothing could be saved of the work. */
export class SoftTimeLimit extends Schema.TaggedError<SoftTimeLimit>()("SoftTimeLimit", {}) {}
/** The hard limit has passed. The interrupted work may still run, so the child that ran it must retire. */
export class HardTimeLimit extends Schema.TaggedError<HardTimeLimit>()("HardTimeLimit", {}) {}

/** How long an interruption waits for the finalizers of what it interrupts. */
const PATIENCE = Duration.seconds(5)

export interface TimeLimits<A, E, R> {
  readonly soft: Duration.Duration
  readonly hard: Duration.Duration
  /** May still end the work well after the soft limit. */
  readonly rescue: Effect.Effect<Option.Option<A>, E, R>
  /** Ends the work at any time, with this in its place. */
  readonly orElse?: Effect.Effect<A>
  /** Runs when the work is left behind, by the hard limit or `orElse`; `over` completes when it runs no more. */
  readonly onLeft?: (over: Effect.Effect<unknown>) => Effect.Effect<void, never, R>
}

/**
 * At `soft` the work is interrupted and `rescue` may still end it well; at `hard` we stop waiting for either, whatever they
 * do. A soft limit that is not below the hard one never comes. When this is interrupted itself, so is the work.
 */
export const withTimeLimits = <A, E, R, R2>(work: Effect.Effect<A, E, R>, limits: () => TimeLimits<A, E, R2>) =>
  // Detached, because a timeout waits for what it interrupts, and we must be able to leave.
  Effect.flatMap(
    Effect.forkDetach(work, { startImmediately: true }),
    (working): Effect.Effect<A, E | SoftTimeLimit | HardTimeLimit, R2> => {
      // Work that asks no server is mostly done by now, and needs no timer.
      const exit = working.pollUnsafe()
      if (exit !== undefined) return exit
      const { onLeft = () => Effect.void, orElse, ...rest } = limits()
      const leave = onLeft(Fiber.await(working))
      const limited = Effect.tapErrorTag(limit(working, rest), "HardTimeLimit", () => leave)
      return orElse === undefined
        ? limited
        : Effect.raceFirst(
            limited,
            Effect.tap(orElse, () => leave)
          )
    }
  )

const limit = <A, E, R>(working: Fiber.Fiber<A, E>, limits: Omit<TimeLimits<A, E, R>, "orElse" | "onLeft">) => {
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
        // The work may have ended by itself in the same instant.
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
