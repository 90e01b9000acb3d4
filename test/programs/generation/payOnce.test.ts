/** The journal at work where its own answers are lost, and what is counted and kept of what was paid. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { empty, makeWorld } from "../world.ts"

const used = 'billable_units_total{endpoint="fal-ai/flux/dev",use="used"}'

describe("money", () => {
  it.effect("is counted once, however often the picture had to be written down", () =>
    Effect.gen(function* () {
      const { away, ledger, metric, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send()
      yield* seconds(0.5)
      away.journal = true
      yield* seconds(120)
      assert.isUndefined(yield* metric(used))
      away.journal = false
      yield* seconds(70)
      yield* success(id)
      assert.deepStrictEqual([(yield* ledger).length, yield* metric(used)], [1, 1])
      assert.strictEqual(yield* metric('generations_total{outcome="picture"}'), 1)
    })
  )

  for (const [when, wait] of [
    ["its request id", 0],
    ["the picture", 0.5]
  ] as const)
    it.effect(`is counted once where the journal's answer to ${when} is lost, and nobody waits for it`, () =>
      Effect.gen(function* () {
        const { counts, metric, seconds, send, start, success, unanswered } = yield* makeWorld
        yield* start()
        if (wait === 0) unanswered.push("advance")
        const id = yield* send()
        yield* seconds(wait)
        if (wait > 0) unanswered.push("advance")
        yield* seconds(3)
        yield* success(id)
        assert.deepStrictEqual(unanswered, [])
        assert.strictEqual(yield* metric(used), 1)
        assert.deepStrictEqual(yield* counts, empty)
      })
    )
})
