import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { limits } from "../../../src/layers/fal/falLimits.ts"
import * as GeneratorMemory from "../../../src/layers/memory/GeneratorMemory.ts"
import { whileUp, withinRate } from "../../../src/programs/generation/purchase/submitLimits.ts"
import { settings } from "../../support.ts"

const { CircuitBreakerError, CircuitBreakerStore, CircuitBreakerStoreError } = CircuitBreaker
const { RateLimiterError, RateLimiterStore, RateLimitStoreError } = RateLimiter

const message = "Connection is closed."
const circuitAway = Effect.fail(new CircuitBreakerError({ reason: new CircuitBreakerStoreError({ message }) }))
const rateAway = Effect.fail(new RateLimiterError({ reason: new RateLimitStoreError({ message }) }))
/** What the fleet shares cannot be read or written. */
const brokerAway = limits.pipe(
  Layer.provide(
    Layer.mergeAll(
      Layer.succeed(CircuitBreakerStore, { admit: () => circuitAway, record: () => circuitAway, state: () => circuitAway }),
      Layer.mock(RateLimiterStore, { fixedWindow: () => rateAway, tokenBucket: () => rateAway })
    )
  )
)

it.effect("a broker that is away is not told as a fal that is down, and nothing is submitted without it", () =>
  Effect.gen(function* () {
    const submitting = yield* Effect.flip(whileUp(Effect.die("submitted")))
    const counting = yield* Effect.flip(withinRate)
    for (const { _tag, after, reason } of [submitting, counting])
      assert.deepStrictEqual([_tag, reason, after], ["NotYet", "the broker is away", 1])
  }).pipe(Effect.provide([brokerAway, GeneratorMemory.layer, settings({ FAL_RATE_LIMIT: "4" })]))
)
