import { Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { limits } from "./fal/limits.ts"

/** The limits of a fleet that lives in this process. */
export const layer = limits.pipe(Layer.provide(Layer.mergeAll(RateLimiter.layerStoreMemory, CircuitBreaker.layerStoreMemory())))
