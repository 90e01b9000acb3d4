import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { Metrics } from "../../src/services/Metrics.ts"

/** The value of a series in the exposed text; undefined when it is not there. */
export const valueOf = (body: string, series: string) => {
  const line = body.split("\n").find((one) => one.startsWith(`model_generator_${series} `))
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1))
}

/** What every metrics layer promises. The layer is built once for each test. */
export const metricsContract = (name: string, layer: Layer.Layer<Metrics>) => {
  const keeps = (
    test: (metrics: Metrics["Service"], read: (series: string) => Effect.Effect<number | undefined>) => Effect.Effect<void>
  ) =>
    Effect.flatMap(Metrics, (metrics) =>
      test(metrics, (series) => Effect.map(metrics.expose, ({ body }) => valueOf(body, series)))
    ).pipe(Effect.provide(layer))

  describe(name, () => {
    it.effect("a counter adds up, each set of labels for itself", () =>
      keeps(
        Effect.fnUntraced(function* ({ count }, read) {
          yield* count("tasks_total", { task: "generate_model", outcome: "succeeded" })
          yield* count("tasks_total", { task: "generate_model", outcome: "succeeded" }, 2.5)
          yield* count("tasks_total", { task: "generate_model", outcome: "failed" })
          yield* count("generations_uncertain_total", {})
          assert.strictEqual(yield* read('tasks_total{task="generate_model",outcome="succeeded"}'), 3.5)
          assert.strictEqual(yield* read('tasks_total{task="generate_model",outcome="failed"}'), 1)
          assert.strictEqual(yield* read("generations_uncertain_total"), 1)
          assert.isUndefined(yield* read('tasks_total{task="edit_model",outcome="failed"}'))
        })
      )
    )

    it.effect("a gauge is what it was last set to", () =>
      keeps(
        Effect.fnUntraced(function* ({ set }, read) {
          yield* set("consuming", {}, 1)
          yield* set("consuming", {}, 0)
          yield* set("slots_busy", {}, 3)
          assert.strictEqual(yield* read("consuming"), 0)
          assert.strictEqual(yield* read("slots_busy"), 3)
        })
      )
    )

    it.effect("a histogram knows how many there were and how long they took together", () =>
      keeps(
        Effect.fnUntraced(function* ({ observe }, read) {
          for (const seconds of [0.5, 2, 400]) yield* observe("task_duration_seconds", { task: "generate_model" }, seconds)
          assert.strictEqual(yield* read('task_duration_seconds_count{task="generate_model"}'), 3)
          assert.strictEqual(yield* read('task_duration_seconds_sum{task="generate_model"}'), 402.5)
        })
      )
    )

    it.effect("two that are built apart do not meet", () =>
      Effect.gen(function* () {
        const counted = Effect.gen(function* () {
          const { count, expose } = yield* Metrics
          yield* count("children_started_total", {})
          return valueOf((yield* expose).body, "children_started_total")
        })
        assert.strictEqual(yield* Effect.provide(counted, layer), 1)
        assert.strictEqual(yield* Effect.provide(counted, layer), 1)
      })
    )
  })
}
