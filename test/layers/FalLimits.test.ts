import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { Redis } from "ioredis"
import * as FalLimitsMemory from "../../src/layers/FalLimitsMemory.ts"
import * as FalLimitsRedis from "../../src/layers/FalLimitsRedis.ts"
import { falLimitsContract } from "../contracts/falLimits.ts"
import { describeWith, freshRedis } from "../servers/index.ts"
import { settings } from "../support.ts"

falLimitsContract(
  "the limits of a fleet in this process",
  Effect.map(Layer.build(Layer.fresh(FalLimitsMemory.layer)), (limits) => [limits, limits] as const)
)

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  const at = (url: string, env = {}) =>
    Layer.build(Layer.fresh(FalLimitsRedis.layer).pipe(Layer.provide(settings({ CELERY_BROKER_URL: url, ...env })), Layer.orDie))

  falLimitsContract(
    "the limits of a fleet on Redis",
    Effect.flatMap(freshRedis(redis), ({ url }) => Effect.all([at(url), at(url)]))
  )

  it.live("what is kept lies beside the rest of ours, under the prefix given, and goes away by itself", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const limits = yield* at(url, { BROKER_GLOBAL_KEYPREFIX: "east." })
      yield* Effect.gen(function* () {
        yield* (yield* RateLimiter.RateLimiter).consume({ key: "fal", limit: 3, window: "1 minute" })
        yield* (yield* CircuitBreaker.CircuitBreaker).execute(Effect.void, { key: "fal" })
      }).pipe(Effect.provideContext(limits))
      const raw = new Redis(url)
      const keys = yield* Effect.promise(() => raw.keys("*"))
      assert.sameMembers(keys, ["east.model-generator.circuit:fal", "east.model-generator.rate:fal"])
      for (const key of keys) assert.isAbove(yield* Effect.promise(() => raw.ttl(key)), 0)
      raw.disconnect()
    })
  )
})
