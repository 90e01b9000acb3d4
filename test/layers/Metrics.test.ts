import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as MetricsProm from "../../src/layers/MetricsProm.ts"
import { definitions, Metrics } from "../../src/services/Metrics.ts"
import { metricsContract, valueOf } from "../contracts/metrics.ts"

metricsContract("metrics in this process", Layer.fresh(MetricsMemory.layer))
metricsContract("metrics for Prometheus", Layer.fresh(MetricsProm.layer))

it.effect("Prometheus is told what every metric means, and of the process too", () =>
  Effect.gen(function* () {
    const { expose } = yield* Metrics
    const { body, contentType } = yield* expose
    assert.match(contentType, /^text\/plain; version=0\.0\.4/)
    for (const [kind, all] of Object.entries(definitions)) {
      for (const [name, { help }] of Object.entries(all)) {
        assert.include(body, `# HELP model_generator_${name} ${help}\n`)
        assert.include(body, `# TYPE model_generator_${name} ${kind.slice(0, -1)}\n`)
      }
    }
    assert.include(body, "process_resident_memory_bytes")
    assert.include(body, "nodejs_eventloop_lag_seconds")
    assert.notMatch(body, /^# TYPE \w+_total (?!counter)/m)
  }).pipe(Effect.provide(Layer.fresh(MetricsProm.layer)))
)

it.effect("a bucket counts all that took no longer than it", () =>
  Effect.gen(function* () {
    const { expose, observe } = yield* Metrics
    for (const seconds of [0.5, 2, 2.5, 400]) yield* observe("save_duration_seconds", {}, seconds)
    const { body } = yield* expose
    const at = (le: string) => valueOf(body, `save_duration_seconds_bucket{le="${le}"}`)
    assert.deepStrictEqual([at("0.1"), at("0.5"), at("2"), at("3"), at("300"), at("+Inf")], [0, 1, 2, 3, 3, 4])
  }).pipe(Effect.provide(Layer.fresh(MetricsProm.layer)))
)

it.effect("a label that holds quotes and lines does not break the page", () =>
  Effect.gen(function* () {
    const { count, expose } = yield* Metrics
    yield* count("actor_restarts_total", { actor: 'a "quoted"\nreason\\' })
    assert.include((yield* expose).body, 'model_generator_actor_restarts_total{actor="a \\"quoted\\"\\nreason\\\\"} 1')
  }).pipe(Effect.provide(Layer.fresh(MetricsProm.layer)))
)

it.effect("a word that a label never holds does not compile, and one of an open label does", () =>
  Effect.gen(function* () {
    const { count } = yield* Metrics
    yield* count("tasks_total", { task: "any name", outcome: "soft limit" })
    // @ts-expect-error: no task ends so.
    yield* count("tasks_total", { task: "any name", outcome: "soft limits" })
    // @ts-expect-error: a reason of another metric.
    yield* count("pauses_total", { reason: "rate limit" })
  }).pipe(Effect.provide(Layer.fresh(MetricsMemory.layer)))
)
