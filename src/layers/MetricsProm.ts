import { Effect, Layer } from "effect"
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client"
import { definitions, Metrics } from "../services/Metrics.ts"

const PREFIX = "model_generator_"

const table = <K extends string, A>(from: Readonly<Record<K, unknown>>, make: (name: K) => A): Readonly<Record<K, A>> =>
  // The keys of the definitions are exactly the names.
  Object.fromEntries((Object.keys(from) as Array<K>).map((name) => [name, make(name)])) as Record<K, A>

export const layer = Layer.sync(Metrics, () => {
  const registry = new Registry()
  // The default wakes the process 100 times a second. A loop without lag reads as this many milliseconds, and the alert is at 1 s.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 500 })
  // Gauges under a counter's name, which Prometheus's own check objects to; the same by type stay.
  for (const what of ["handles", "requests", "resources"]) registry.removeSingleMetric(`nodejs_active_${what}_total`)
  const options = (name: string, of: { readonly help: string; readonly labels: Readonly<Record<string, unknown>> }) => ({
    name: PREFIX + name,
    help: of.help,
    labelNames: Object.keys(of.labels),
    registers: [registry]
  })
  const counters = table(definitions.counters, (name) => new Counter(options(name, definitions.counters[name])))
  const gauges = table(definitions.gauges, (name) => new Gauge(options(name, definitions.gauges[name])))
  const histograms = table(
    definitions.histograms,
    (name) =>
      new Histogram({ ...options(name, definitions.histograms[name]), buckets: [...definitions.histograms[name].buckets] })
  )
  return Metrics.of({
    count: (name, labels, by = 1) => Effect.sync(() => counters[name].inc(labels, by)),
    set: (name, labels, value) => Effect.sync(() => gauges[name].set(labels, value)),
    observe: (name, labels, seconds) => Effect.sync(() => histograms[name].observe(labels, seconds)),
    expose: Effect.map(
      Effect.promise(() => registry.metrics()),
      (body) => ({ contentType: registry.contentType, body })
    )
  })
})
