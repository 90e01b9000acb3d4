import { Effect, Layer } from "effect"
import { definitions, Metrics } from "../../services/Metrics.ts"

/** Each series is one line, `name{label="value"} total`; a histogram shows its count and sum. */
export const layer = Layer.sync(Metrics, () => {
  const series = new Map<string, number>()
  const known = new Set([
    ...Object.keys(definitions.counters),
    ...Object.keys(definitions.gauges),
    ...Object.keys(definitions.histograms)
  ])
  const key = (name: string, labels: Readonly<Record<string, string>>, suffix = "") => {
    if (!known.has(name)) throw new Error(`no metric is called ${name}`)
    const shown = Object.entries(labels)
      .map(([label, value]) => `${label}="${value}"`)
      .join(",")
    return `model_generator_${name}${suffix}${shown === "" ? "" : `{${shown}}`}`
  }
  const add = (at: string, by: number) => series.set(at, (series.get(at) ?? 0) + by)
  return Metrics.of({
    count: (name, labels, by = 1) => Effect.sync(() => add(key(name, labels), by)),
    set: (name, labels, value) => Effect.sync(() => series.set(key(name, labels), value)),
    observe: (name, labels, seconds) =>
      Effect.sync(() => {
        add(key(name, labels, "_count"), 1)
        add(key(name, labels, "_sum"), seconds)
      }),
    expose: Effect.sync(() => ({
      contentType: "text/plain",
      body: [...series].map(([name, value]) => `${name} ${value}\n`).join("")
    }))
  })
})
