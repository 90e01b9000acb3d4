import { Context, Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { CIRCUIT, Endpoints } from "../services/Endpoints.ts"
import { limits } from "./fal/limits.ts"
import { make as endpoints } from "./memory/endpoints.ts"

const { CircuitBreakerStore } = CircuitBreaker

/** The store, and beside it whether it heard of a failure last, which it does not tell itself. */
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
