import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { limits } from "../../../src/layers/fal/limits.ts"
import * as GeneratorMemory from "../../../src/layers/GeneratorMemory.ts"
import { whileUp, withinRate } from "../../../src/programs/generation/gate.ts"
import { NotYet } from "../../../src/programs/Task.ts"
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
    const away = new NotYet({ reason: "the broker is away", after: 1 })
    assert.deepStrictEqual(yield* Effect.flip(whileUp(Effect.die("submitted"))), away)
    assert.deepStrictEqual(yield* Effect.flip(withinRate), away)
  }).pipe(Effect.provide([brokerAway, GeneratorMemory.layer, settings({ FAL_RATE_LIMIT: "4" })]))
)
