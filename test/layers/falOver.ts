import { ConfigProvider, Context, Effect, Layer } from "effect"
import * as Provider from "../../src/layers/Provider.ts"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import { type Options, simulate } from "../../src/fal-simulator/simulate.ts"
import { Catalogue } from "../../src/services/Catalogue.ts"
import { Generator } from "../../src/services/Generator.ts"
import { Metrics } from "../../src/services/Metrics.ts"

export const KEY = "11223344-key-id:5566778899-secret"

/** The real client against whatever answers at `url`. */
export const falAt = (url: string, key = KEY) =>
  Layer.provideMerge(Provider.generator, MetricsMemory.layer).pipe(
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ FAL_KEY: key, FAL_BASE_URL: url })))
  )

/** The real client over a simulator of its own, both for as long as the test. */
export const falOver = Effect.fnUntraced(function* (options: Options = {}, key = KEY) {
  const simulator = yield* simulate({ key: KEY, ...options })
  const context = yield* Layer.build(falAt(simulator.url, key))
  return {
    simulator,
    catalogue: Context.get(context, Catalogue),
    generator: Context.get(context, Generator),
    metrics: Context.get(context, Metrics)
  }
})
