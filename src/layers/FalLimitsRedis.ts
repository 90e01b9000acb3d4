import { Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter, Redis } from "effect/persistence"
import * as Settings from "../services/Settings.ts"
import { limits } from "./fal/limits.ts"
import { connect } from "./redis/connect.ts"
import { effectRedis } from "./redis/effectRedis.ts"

const redis = Layer.effect(
  Redis.Redis,
  Effect.gen(function* () {
    const settings = yield* Settings.of("CELERY_BROKER_URL", "REDIS_PASSWORD", "REDIS_SENTINEL_MASTER")
    const where = { url: settings.CELERY_BROKER_URL, password: settings.REDIS_PASSWORD, master: settings.REDIS_SENTINEL_MASTER }
    return yield* effectRedis(yield* connect(where, "commands"))
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
