/** The soft and the hard limit. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { empty, makeWorld } from "../world.ts"

describe("the soft limit", () => {
  it.effect("cancels the request: FAILURE SoftTimeLimitExceeded after 240 s", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, metric, result, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "never" })
      yield* start()
      const id = yield* send()
      yield* seconds(239)
      assert.isUndefined(yield* result(id))
      yield* seconds(5)
      const failed = yield* failure(id)
      assert.deepStrictEqual([failed.type, failed.module], ["SoftTimeLimitExceeded", "billiard.exceptions"])
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome }) => outcome),
        ["cancelled"]
      )
      assert.strictEqual(yield* metric('generations_total{outcome="Cancelled"}'), 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("uses the picture when it was completed meanwhile", () =>
    Effect.gen(function* () {
      const { ledger, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 245_000 })
      yield* script.ignoreCancels
      yield* start()
      const id = yield* send()
      yield* seconds(270)
      assert.strictEqual((yield* success(id))["saved"], true)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.strictEqual((yield* script.calls).cancel, 1)
    })
  )

  it.effect("of the message itself goes before the setting, and 0 means none, as in Celery", () =>
    Effect.gen(function* () {
      const { failure, ledger, result, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "never" }, { ends: "picture", after: 100_000 })
      yield* start()
      const short = yield* send({ limits: { soft: 5, hard: 10 } })
      const unlimited = yield* send({ limits: { soft: 0, hard: 0 } })
      yield* seconds(4)
      assert.isUndefined(yield* result(short))
      yield* seconds(4)
      assert.strictEqual((yield* failure(short)).type, "SoftTimeLimitExceeded")
      yield* seconds(120)
      yield* success(unlimited)
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome }) => outcome),
        ["cancelled", "picture"]
      )
    })
  )
})

describe("the hard limit", () => {
  it.effect("leaves the child behind: FAILURE TimeLimitExceeded after 300 s, and its successor takes the next task", () =>
    Effect.gen(function* () {
      const { counts, failure, metric, result, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "never" })
      yield* script.ignoreCancels
      yield* start()
      const stuck = yield* send()
      const next = yield* send()
      yield* seconds(299)
      assert.isUndefined(yield* result(stuck))
      yield* seconds(10)
      const failed = yield* failure(stuck)
      assert.deepStrictEqual([failed.type, failed.module, failed.message], ["TimeLimitExceeded", "billiard.exceptions", "300"])
      yield* success(next)
      assert.strictEqual(yield* metric('children_retired_total{reason="spent"}'), 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("below the soft one still holds, per message", () =>
    Effect.gen(function* () {
      const { failure, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "never" })
      yield* start()
      const id = yield* send({ limits: { soft: null, hard: 3 } })
      yield* seconds(4)
      const failed = yield* failure(id)
      assert.deepStrictEqual([failed.type, failed.message], ["TimeLimitExceeded", "3"])
    })
  )
})
