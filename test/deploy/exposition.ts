/** What a worker exposes when everything has been counted once: for tests, and run for `promtool check metrics`. */
import { Effect, Layer } from "effect"
import * as MetricsProm from "../../src/layers/MetricsProm.ts"
import { definitions, Metrics } from "../../src/services/Metrics.ts"

const labelled = (labels: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.keys(labels).map((label) => [label, "x"]))

export const exposition = Effect.gen(function* () {
  const metrics = yield* Metrics
  // Names and labels come from the definitions themselves, which the types cannot follow through Object.entries.
  const { count, observe, set } = metrics as unknown as Record<
    "count" | "observe" | "set",
    (name: string, labels: Readonly<Record<string, string>>, value: number) => Effect.Effect<void>
  >
  for (const [name, { labels }] of Object.entries(definitions.counters)) yield* count(name, labelled(labels), 1)
  for (const [name, { labels }] of Object.entries(definitions.gauges)) yield* set(name, labelled(labels), 1)
  for (const [name, { labels }] of Object.entries(definitions.histograms)) yield* observe(name, labelled(labels), 1)
  return yield* metrics.expose
}).pipe(Effect.provide(Layer.fresh(MetricsProm.layer)))

if (import.meta.main) process.stdout.write((await Effect.runPromise(exposition)).body)
