import { Effect, Layer, Schedule, Stream } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"

/**
 * Five failed submits in a row open the circuit for 5 s, and for twice as long each time the next try fails, up to a minute. If
 * the circuit's state cannot be read, nothing is submitted either: the journal, which every submit needs, lies in the same Redis.
 */
const policy = {
  tripPolicy: CircuitBreaker.consecutive(5),
  onStoreError: "fail" as const,
  openDuration: Schedule.min([Schedule.exponential("5 seconds"), Schedule.spaced("1 minute")])
}

const told = Layer.effectDiscard(
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.CircuitBreaker
    yield* breaker.transitions.pipe(
      Stream.runForEach((move) =>
        move.to === "Open"
          ? Effect.logError("fal is not accepting requests: circuit open, submits suspended", {
              openings: move.consecutiveOpenings
            })
          : Effect.logInfo(
              move.to === "HalfOpen"
                ? "circuit half open: one worker asks fal whether it accepts requests again"
                : "fal accepts requests again: circuit closed"
            )
      ),
      Effect.forkScoped({ startImmediately: true })
    )
  })
)

/** Effect's rate limiter and circuit breaker, over stores that are still to be chosen. */
export const limits = Layer.mergeAll(RateLimiter.layer, told.pipe(Layer.provideMerge(CircuitBreaker.layer(policy))))
