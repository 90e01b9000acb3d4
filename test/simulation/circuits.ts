import { Clock, Duration, Effect, Layer } from "effect"
import { CircuitBreaker } from "effect/persistence"
import * as FalLimitsMemory from "../../src/layers/memory/FalLimitsMemory.ts"

/** As Redis does it: one that is to find out whether fal is up and dies of it holds the others up no longer than this. */
const LEASE = 10_000

/** The store in memory, where the place of one that died would be taken for ever, with the lease that Redis's has. */
const leased = Layer.effect(
  CircuitBreaker.CircuitBreakerStore,
  Effect.gen(function* () {
    const store = yield* CircuitBreaker.CircuitBreakerStore
    const probes = new Map<string, { readonly generation: number; readonly until: number }>()
    const admit = (key: string, now: number) =>
      Effect.tap(store.admit(key), ({ generation, probe }) =>
        Effect.sync(() => (probe ? probes.set(key, { generation, until: now + LEASE }) : probes.delete(key)))
      )
    return CircuitBreaker.CircuitBreakerStore.of({
      ...store,
      admit: Effect.fnUntraced(function* (key: string) {
        const now = yield* Clock.currentTimeMillis
        const probe = probes.get(key)
        if (probe === undefined || probe.until > now) return yield* admit(key, now)
        const { generation } = probe
        const tripPolicy = CircuitBreaker.consecutive(1) // unused for what is ignored
        yield* store.record({ key, generation, outcome: "Ignored", tripPolicy, openFor: Duration.zero })
        return yield* admit(key, now)
      })
    })
  })
).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))

/** The limits of the fleet. */
export const layer = FalLimitsMemory.over(leased)
