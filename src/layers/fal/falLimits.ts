import { Effect, Layer, Schedule, Stream } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"

/**
 * Five submits in a row that fal did not take: nothing more is sent for 5 s, and twice as long each time it is still so. Nor while
 * it cannot be known whether it is so: the journal, without which nothing is submitted, is kept in the same place.
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
          ? Effect.logError("fal takes no submits: none is sent for a while", { openings: move.consecutiveOpenings })
          : Effect.logInfo(move.to === "HalfOpen" ? "asking fal whether it takes submits again" : "fal takes submits again")
      ),
      Effect.forkScoped({ startImmediately: true })
    )
  })
)

/** Effect's rate limiter and circuit breaker, over stores that are still to be chosen. */
export const limits = Layer.mergeAll(RateLimiter.layer, told.pipe(Layer.provideMerge(CircuitBreaker.layer(policy))))
