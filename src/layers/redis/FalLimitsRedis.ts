import { Context, Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter, Redis } from "effect/persistence"
import { Endpoints } from "../../services/Endpoints.ts"
import { limits } from "../fal/falLimits.ts"
import * as Connections from "./Connections.ts"
import { effectRedis } from "./effectRedis.ts"
import { make as endpoints } from "./endpoints.ts"
import * as kombu from "../../wire/kombu.ts"
import { broker } from "./where.ts"

const redis = Layer.effectContext(
  Effect.gen(function* () {
    const connection = yield* (yield* Connections.Connections).commands(yield* broker)
    return Context.make(Redis.Redis, yield* effectRedis(connection)).pipe(Context.add(Endpoints, endpoints(connection)))
  })
).pipe(Layer.provide(Connections.layer))

/** How often and whether at all the fleet submits, kept in the broker's Redis, so that all workers share it. */
export const layer = limits.pipe(
  Layer.provide(
    Layer.mergeAll(
      RateLimiter.layerStoreRedis({ prefix: "model-generator.rate:" }),
      CircuitBreaker.layerStoreRedis({ prefix: kombu.circuit("") })
    )
  ),
  Layer.provideMerge(redis)
)
