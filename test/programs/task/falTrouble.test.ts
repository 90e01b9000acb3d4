/** fal before and after it accepts: busy, broken, and answers that are lost. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { empty, five, makeWorld } from "../world.ts"

describe("fal is busy or broken before it accepts", () => {
  const busy = Array.from({ length: 50 }, () => "busy" as const)

  it.effect("RETRY under the same id with the slot free meanwhile, and then it goes well", () =>
    Effect.gen(function* () {
      const { counts, left, ledger, result, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits("busy")
      const { vitals } = yield* start({ chance: 0.999 })
      const id = yield* send()
      yield* seconds(0.5)
      assert.strictEqual(vitals.processed, 0) // a try is not a task
      const document = yield* result(id)
      assert.strictEqual(document!.status, "RETRY")
      assert.deepInclude(document!.result as object, { exc_type: "GenerationError", exc_module: "model_generator.errors" })
      assert.deepStrictEqual(yield* counts, { ...empty, scheduled: 1 })
      const [waiting] = (yield* left).scheduled
      assert.deepInclude((JSON.parse(waiting!.raw) as { headers: object }).headers, { id, retries: 1, task: "generate_model" })
      const other = yield* send({ task: "health_check", kwargs: {} })
      yield* seconds(0.5)
      yield* success(other) // the slot was free
      yield* seconds(5)
      assert.strictEqual((yield* success(id))["saved"], true)
      assert.deepStrictEqual(yield* counts, empty)
      assert.strictEqual((yield* ledger).length, 1)
      assert.strictEqual(vitals.processed, 2)
    })
  )

  it.effect("the delay doubles from 2 s up to 60 s, and after TASK_MAX_RETRIES it is a FAILURE", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, left, metric, script, seconds, send, start } = yield* makeWorld
      yield* script.submits(...busy)
      yield* start({ chance: 0.9999, env: { TASK_MAX_RETRIES: "7" } })
      const id = yield* send()
      yield* seconds(0)
      const delays = new Map<number, number>()
      for (let n = 0; n < 1000 && (yield* counts).dead + (yield* counts).scheduled + (yield* counts).queued > 0; n++) {
        for (const { inMs, raw } of (yield* left).scheduled) {
          const { retries } = (JSON.parse(raw) as { headers: { retries: number } }).headers // written by us
          if (!delays.has(retries)) delays.set(retries, Math.round(inMs / 1000))
        }
        yield* seconds(0.25)
      }
      assert.deepStrictEqual([...delays.values()], [2, 4, 8, 16, 32, 60, 60])
      const failed = yield* failure(id)
      assert.match(failed.message, /fal: Concurrent requests limit reached/)
      assert.deepStrictEqual(yield* counts, empty)
      assert.strictEqual((yield* ledger).length, 0)
      assert.strictEqual(yield* metric('task_retries_total{task="generate_model",reason="fal busy"}'), 7)
    })
  )

  it.effect("the jitter is full: from nothing to the whole delay", () =>
    Effect.gen(function* () {
      const { left, script, seconds, send, start } = yield* makeWorld
      yield* script.submits(...busy)
      yield* start({ env: { TASK_RETRY_BACKOFF: "50", WORKER_CONCURRENCY: "50" } })
      for (let n = 0; n < 50; n++) yield* send()
      // Fifty at once take more turns of the event loop than one step of the clock waits for.
      for (let turn = 0; turn < 50 && (yield* left).scheduled.length < 50; turn++) yield* seconds(0)
      const delays = (yield* left).scheduled.map(({ inMs }) => inMs / 50_000)
      assert.strictEqual(delays.length, 50)
      assert.isTrue(delays.every((delay) => delay >= 0 && delay <= 1))
      // Each half is missed by 50 even draws once in 2^50.
      assert.isTrue(delays.some((delay) => delay < 0.5) && delays.some((delay) => delay > 0.5))
      assert.isAbove(new Set(delays).size, 40)
    })
  )

  it.effect("a job that failed through no fault of the input is asked for again, and not billed", () =>
    Effect.gen(function* () {
      const { ledger, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "failed", after: 1000, type: "runner_disconnected" })
      yield* start()
      const id = yield* send()
      yield* seconds(30)
      yield* success(id)
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome, units }) => ({ outcome, units })),
        [
          { outcome: "failed", units: 0 },
          { outcome: "picture", units: 1 }
        ]
      )
      assert.strictEqual((yield* rows()).length, 1)
    })
  )

  it.effect("looks that fail do no harm to a request that runs", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.looks(...Array.from({ length: 20 }, () => "unreachable" as const))
      yield* start()
      const id = yield* send()
      yield* seconds(120)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )
})

describe("fal's answer to a submit is lost", () => {
  it.effect("it waits its grace of 60 s, and is then made again, once", () =>
    Effect.gen(function* () {
      const { counts, ledger, metric, result, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits("lost")
      yield* start()
      const id = yield* send({ kwargs: { ...five, seed: 11 } })
      yield* seconds(59)
      assert.strictEqual((yield* result(id))!.status, "RETRY")
      assert.strictEqual((yield* ledger).length, 1)
      assert.strictEqual(yield* metric("generations_uncertain_total"), 1)
      yield* seconds(10)
      yield* success(id)
      assert.deepStrictEqual(
        (yield* ledger).map(({ input }) => input["seed"]),
        [11, 11]
      ) // the same, to be found in fal's history
      assert.strictEqual((yield* rows()).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("lost twice, it is a FAILURE: never a third", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, script, seconds, send, start } = yield* makeWorld
      yield* script.submits("lost", "lost")
      yield* start()
      const id = yield* send()
      yield* seconds(3600)
      assert.match((yield* failure(id)).message, /lost 2 times/)
      assert.strictEqual((yield* ledger).length, 2)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("made again and failed at fal, it has had its one more time: lost once more, it is a FAILURE", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, script, seconds, send, start } = yield* makeWorld
      const picture = { ends: "picture", after: 1000 } as const
      yield* script.submits("lost", "accepted", "lost")
      yield* script.jobs(picture, { ends: "failed", after: 1000, type: "runner_disconnected" }, picture)
      yield* start()
      const id = yield* send()
      yield* seconds(3600)
      assert.match((yield* failure(id)).message, /lost 2 times/)
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome }) => outcome),
        ["picture", "failed", "picture"]
      )
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect(
    "a request that fal does not know is asked about once more after the grace, and not made again when it is known then",
    () =>
      Effect.gen(function* () {
        const { counts, ledger, script, seconds, send, start, success } = yield* makeWorld
        yield* script.looks(...Array.from({ length: 8 }, () => "unknown" as const))
        yield* start()
        const id = yield* send()
        yield* seconds(110)
        yield* success(id)
        assert.strictEqual((yield* ledger).length, 1)
        assert.deepStrictEqual(yield* counts, empty)
      })
  )

  it.effect("one that fal does not know then either is made again, once", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.looks(...Array.from({ length: 11 }, () => "unknown" as const)) // its status and its result
      yield* start()
      const id = yield* send()
      yield* seconds(50)
      assert.strictEqual((yield* ledger).length, 1)
      yield* seconds(60)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 2)
    })
  )

  it.effect("the wait uses up none of the task's retries", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits("lost", "busy", "busy", "busy", "busy", "busy", "accepted")
      yield* start()
      const id = yield* send()
      yield* seconds(400)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 2)
    })
  )
})
