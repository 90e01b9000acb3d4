import { Context, Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { CIRCUIT, Endpoints } from "../../services/Endpoints.ts"
import { limits } from "../fal/falLimits.ts"
import { make as endpoints } from "./endpoints.ts"

const { CircuitBreakerStore } = CircuitBreaker

/** The circuit breaker's store, and beside it whether the last reported outcome was a failure, which the store does not tell. */
const watched = Layer.effectContext(
  Effect.map(CircuitBreakerStore, (store) => {
    const failing = new Set<string>()
    const record: typeof store.record = (call) =>
      Effect.tap(store.record(call), () =>
        Effect.sync(() => {
          if (call.outcome === "Failure") failing.add(call.key)
          if (call.outcome === "Success") failing.delete(call.key)
        })
      )
    return Context.make(CircuitBreakerStore, CircuitBreakerStore.of({ ...store, record })).pipe(
      Context.add(
        Endpoints,
        endpoints(() => failing.has(CIRCUIT))
      )
    )
  })
)

/** The limits of a fleet that lives in this process, with this store for its circuit breakers. */
export const over = (circuits: Layer.Layer<CircuitBreaker.CircuitBreakerStore>) =>
  limits.pipe(Layer.provide(RateLimiter.layerStoreMemory), Layer.provideMerge(watched.pipe(Layer.provide(circuits))))

export const layer = over(CircuitBreaker.layerStoreMemory())
