import { Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter, Redis } from "effect/persistence"
import { limits } from "./fal/limits.ts"
import { connect } from "./redis/connect.ts"
import { effectRedis } from "./redis/effectRedis.ts"
import { broker } from "./redis/where.ts"

const redis = Layer.effect(
  Redis.Redis,
  Effect.gen(function* () {
    return yield* effectRedis(yield* connect(yield* broker, "commands"))
  })
)

/** How often and whether at all the fleet submits, kept in the broker's Redis, so that all workers share it. */
export const layer = limits.pipe(
  Layer.provide(
    Layer.mergeAll(
      RateLimiter.layerStoreRedis({ prefix: "model-generator.rate:" }),
      CircuitBreaker.layerStoreRedis({ prefix: "model-generator.circuit:" })
    )
  ),
  Layer.provide(redis)
)
