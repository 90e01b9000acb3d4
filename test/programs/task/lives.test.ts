/** Chains, children that retire, and stops. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { empty, makeWorld, template } from "../world.ts"

describe("a chain", () => {
  const edit = (id: string) => ({
    task: "edit_model",
    args: [],
    kwargs: { prompt: "в красном пальто" },
    options: { task_id: id, queue: "generator_queue" },
    subtask_type: null,
    immutable: false
  })

  it.effect("goes on with the result of its first task, once, and the first names the next as its child", () =>
    Effect.gen(function* () {
      const { counts, ledger, result, rows, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ embed: { chain: [edit("the-edit")] } })
      yield* seconds(20)
      const edited = yield* success("the-edit")
      assert.deepStrictEqual((yield* result(id))!.children, [[["the-edit", null], null]])
      assert.strictEqual((yield* result("the-edit"))!.parent_id, id)
      assert.deepInclude(edited, { template_id: template, version: 2, prompt: "в красном пальто" })
      const [, second] = yield* rows()
      assert.deepStrictEqual(second!.metadata, {
        seed: Number(edited["seed"]),
        cost_usd: 0.03,
        cost_source: "units",
        edited_from: { id: String((yield* success(id))["id"]), template_id: template, version: 1 }
      })
      assert.strictEqual((yield* ledger).length, 2)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("whose first task fails has failed to its end: nobody waits for ever", () =>
    Effect.gen(function* () {
      const { counts, failure, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send({ kwargs: {}, embed: { chain: [edit("last"), edit("next")] } })
      yield* seconds(5)
      for (const one of [id, "next", "last"]) assert.strictEqual((yield* failure(one)).type, "ValidationError")
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("children of the pool", () => {
  it.effect("retire after 50 tasks, and the 51st is taken by the next", () =>
    Effect.gen(function* () {
      const { metric, seconds, send, start, success } = yield* makeWorld
      yield* start()
      let last = ""
      for (let n = 0; n < 51; n++) last = yield* send({ task: "health_check", kwargs: {} })
      yield* seconds(5)
      yield* success(last)
      assert.strictEqual(yield* metric('children_retired_total{reason="quota"}'), 1)
      assert.strictEqual(yield* metric("children_started_total"), 2)
    })
  )
})

describe("a stop", () => {
  it.effect("takes nothing new, finishes the picture in hand, gives back the rest as it was, and ends the lease", () =>
    Effect.gen(function* () {
      const { counts, ledger, left, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 60_000 })
      const worker = yield* start({ env: { WORKER_PREFETCH_MULTIPLIER: "2" } })
      const [id] = [yield* send(), yield* send(), yield* send()]
      yield* seconds(10)
      assert.deepStrictEqual(yield* counts, { ...empty, running: 2, queued: 1 })
      const stopping = yield* worker.stop
      yield* seconds(40)
      assert.isUndefined(stopping.pollUnsafe())
      yield* seconds(30)
      yield* Fiber.join(stopping)
      yield* success(id!)
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 2 })
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.deepStrictEqual((yield* left).scheduled, [])
    })
  )

  it.effect("that may not wait hands the picture back, and another worker resumes it without paying again", () =>
    Effect.gen(function* () {
      const { counts, ledger, metric, result, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 60_000 })
      const worker = yield* start()
      const id = yield* send()
      yield* seconds(10)
      const stopping = yield* worker.stop
      yield* seconds(1)
      yield* worker.hurry
      yield* seconds(1)
      yield* Fiber.join(stopping)
      assert.isUndefined(yield* result(id))
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 1 })
      yield* start()
      yield* seconds(70)
      yield* success(id)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.strictEqual(yield* metric("generations_reattached_total"), 1)
    })
  )
})
