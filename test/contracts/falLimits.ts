import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, type Scope } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"

export type Limits = Context.Context<CircuitBreaker.CircuitBreaker | RateLimiter.RateLimiter>

/** What a fleet's limits at fal promise. `fleet` gives those of two workers that share them, with nothing used up. */
export const falLimitsContract = (name: string, fleet: Effect.Effect<readonly [Limits, Limits], never, Scope.Scope>) => {
  const minute = { key: "fal", limit: 3, window: "1 minute", onExceeded: "fail" } as const

  describe(name, () => {
    it.live("one minute's submits are those of all workers", () =>
      Effect.gen(function* () {
        const [one, two] = (yield* fleet).map((limits) => Context.get(limits, RateLimiter.RateLimiter))
        const asked = yield* Effect.forEach([one!, two!, one!, two!], (limiter) => Effect.result(limiter.consume(minute)))
        assert.deepStrictEqual(
          asked.map(({ _tag }) => _tag),
          ["Success", "Success", "Success", "Failure"]
        )
        const { reason } = yield* Effect.flip(one!.consume(minute))
        assert.strictEqual(reason._tag, "RateLimitExceeded")
      })
    )

    it.live("five submits in a row that failed anywhere stop all workers; a success between starts the count anew", () =>
      Effect.gen(function* () {
        const [one, two] = (yield* fleet).map((limits) => Context.get(limits, CircuitBreaker.CircuitBreaker))
        const failing = (breaker: CircuitBreaker.CircuitBreaker) =>
          Effect.flip(breaker.execute(Effect.fail("away"), { key: "fal" }))
        yield* Effect.forEach([one!, one!, two!, two!], failing)
        yield* one!.execute(Effect.void, { key: "fal" })
        yield* Effect.forEach([one!, one!, two!, two!], failing)
        assert.strictEqual((yield* one!.state("fal"))._tag, "Closed")
        yield* failing(two!)
        const state = yield* one!.state("fal")
        if (state._tag !== "Open") return assert.fail(state._tag)
        assert.closeTo(Duration.toSeconds(state.retryAfter), 5, 1)
        const refused = yield* Effect.flip(one!.execute(Effect.die("sent"), { key: "fal" }))
        assert.strictEqual(refused._tag, "CircuitBreakerError")
        assert.strictEqual((yield* one!.state("another"))._tag, "Closed")
      })
    )
  })
}
