import { Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { Endpoints } from "../services/Endpoints.ts"
import { limits } from "./fal/limits.ts"
import { make as endpoints } from "./memory/endpoints.ts"

/** The limits of a fleet that lives in this process, with this store for its circuit breakers. */
export const over = (circuits: Layer.Layer<CircuitBreaker.CircuitBreakerStore>) =>
  limits.pipe(
    Layer.provide(Layer.mergeAll(RateLimiter.layerStoreMemory, circuits)),
    Layer.merge(Layer.effect(Endpoints, endpoints))
  )

export const layer = over(CircuitBreaker.layerStoreMemory())
