import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, type Scope } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { CIRCUIT, Endpoints } from "../../src/services/Endpoints.ts"

export type Limits = Context.Context<CircuitBreaker.CircuitBreaker | RateLimiter.RateLimiter | Endpoints>

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

    it.live(
      "an endpoint that refuses is closed to all workers, and no other; requests sent before do not close it for longer",
      () =>
        Effect.gen(function* () {
          const [one, two] = (yield* fleet).map((limits) => Context.get(limits, Endpoints))
          assert.deepStrictEqual(yield* one!.admit("edit"), { _tag: "Open" })
          const closed = yield* one!.refused("edit", `fal answered 403: ${"no ".repeat(200)}`)
          assert.closeTo(closed.seconds, 15, 1)
          assert.closeTo((yield* two!.refused("edit", "late")).seconds, 15, 1)
          const admitted = yield* two!.admit("edit")
          if (admitted._tag !== "Closed") return assert.fail(admitted._tag)
          assert.strictEqual(admitted.reason, "refused")
          assert.match(admitted.why, /^fal answered 403: no no/)
          assert.isAtMost(admitted.why.length, 300)
          assert.deepStrictEqual(
            (yield* two!.closed).map(({ endpoint }) => endpoint),
            ["edit"]
          )
          assert.deepStrictEqual(yield* two!.admit("generate"), { _tag: "Open" })
          yield* two!.opened("edit")
          assert.deepStrictEqual(yield* one!.admit("edit"), { _tag: "Open" })
          assert.deepStrictEqual(yield* one!.closed, [])
        })
    )

    it.live("all is clear unless an endpoint is closed or being tried, or the last submit failed anywhere", () =>
      Effect.gen(function* () {
        const [one, two] = yield* fleet
        const clear = (of: Limits, endpoint: string) => Context.get(of, Endpoints).isClear(endpoint)
        const submit = (of: Limits, outcome: Effect.Effect<void, string>) =>
          Effect.exit(Context.get(of, CircuitBreaker.CircuitBreaker).execute(outcome, { key: CIRCUIT }))
        assert.isTrue(yield* clear(one, "edit"))
        yield* submit(one, Effect.void)
        assert.isTrue(yield* clear(two, "edit"))
        yield* submit(one, Effect.fail("away"))
        assert.isFalse(yield* clear(two, "edit"))
        yield* submit(two, Effect.void)
        assert.isTrue(yield* clear(one, "edit"))
        yield* Effect.forEach([1, 2, 3, 4, 5], () => submit(two, Effect.fail("away")))
        assert.isFalse(yield* clear(one, "generate"), "open")

        const [closing] = yield* fleet
        const endpoints = Context.get(closing, Endpoints)
        yield* endpoints.busy("edit", "busy", 0.1)
        assert.deepStrictEqual([yield* clear(closing, "edit"), yield* clear(closing, "generate")], [false, true])
        yield* Effect.sleep("150 millis")
        assert.isFalse(yield* clear(closing, "edit"), "to be tried")
        yield* endpoints.admit("edit")
        assert.isFalse(yield* clear(closing, "edit"), "being tried")
        yield* endpoints.opened("edit")
        assert.isTrue(yield* clear(closing, "edit"))
      })
    )

    it.live("a closed endpoint is tried by one caller when its time is over; another answer of busy closes it again", () =>
      Effect.gen(function* () {
        const [one, two] = (yield* fleet).map((limits) => Context.get(limits, Endpoints))
        assert.closeTo((yield* one!.busy("edit", "busy", 90_000)).seconds, 300, 1, "no header closes an endpoint for a day")
        yield* one!.opened("edit")
        yield* one!.busy("edit", "busy", 0.2)
        assert.strictEqual((yield* two!.admit("edit"))._tag, "Closed")
        yield* Effect.sleep("250 millis")
        assert.strictEqual((yield* two!.admit("edit"))._tag, "Trial")
        assert.strictEqual((yield* one!.admit("edit"))._tag, "Closed")
        assert.strictEqual((yield* one!.closed).length, 1)
        yield* two!.untried("edit") // it found no room: the next may try
        assert.strictEqual((yield* one!.admit("edit"))._tag, "Trial")
        yield* two!.busy("edit", "busy", 0.2)
        yield* Effect.sleep("250 millis")
        assert.strictEqual((yield* one!.admit("edit"))._tag, "Trial")
        assert.closeTo((yield* one!.refused("edit", "no")).seconds, 15, 1)
      })
    )
  })
}
