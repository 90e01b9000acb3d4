import { Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { Endpoints } from "../services/Endpoints.ts"
import { limits } from "./fal/limits.ts"
import { make as endpoints } from "./memory/endpoints.ts"

/** The limits of a fleet that lives in this process. */
export const layer = limits.pipe(
  Layer.provide(Layer.mergeAll(RateLimiter.layerStoreMemory, CircuitBreaker.layerStoreMemory())),
  Layer.merge(Layer.effect(Endpoints, endpoints))
)
