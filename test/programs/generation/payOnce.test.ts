/** The journal at work where its own answers are lost, and what is counted and kept of what was paid. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { makeFleet } from "../control/fleet.ts"
import { empty, makeWorld, makeWorldWith } from "../world.ts"

const none = { Intended: 0, Submitted: 0, Generated: 0 }
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

describe("a journal that is away as fal accepts", () => {
  it.effect("is told the request id as soon as it is back, however late", () =>
    Effect.gen(function* () {
      const { away, counts, ledger, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits({ answered: 3000 })
      yield* start()
      const id = yield* send()
      yield* seconds(1)
      away.journal = true
      yield* seconds(200)
      away.journal = false
      yield* seconds(100)
      yield* success(id)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("an intent of which the journal gave no answer", () => {
  it.effect("is no lost submit: this process knows that it has made none", () =>
    Effect.gen(function* () {
      const { ledger, metric, seconds, send, start, success, unanswered } = yield* makeWorldWith({
        env: { FAL_UNCERTAIN: "fail" }
      })
      yield* start()
      unanswered.push("intend")
      const id = yield* send()
      yield* seconds(20)
      yield* success(id)
      assert.deepStrictEqual([unanswered.length, (yield* ledger).length], [0, 1])
      assert.isUndefined(yield* metric('generations_uncertain_ended_total{how="failed"}'))
    })
  )

  it.effect("is told apart from every other of its instant, so that nobody takes back another's", () =>
    Effect.gen(function* () {
      const { journal, script, seconds, send, start } = yield* makeWorld
      yield* script.submits("lost", "lost")
      yield* start()
      const [one, other] = [yield* send(), yield* send()]
      yield* seconds(0)
      const intents = [yield* journal.find(one), yield* journal.find(other)].map(({ entry }) => Option.getOrThrow(entry))
      const attempts = intents.map((intent) => ("attempt" in intent ? intent.attempt : undefined))
      assert.isNumber(attempts[0])
      assert.notStrictEqual(attempts[0], attempts[1])
    })
  )

  it.effect("is taken back when it was long in coming, so that the grace of a submit is counted from the submit", () =>
    Effect.gen(function* () {
      const { ledger, metric, seconds, send, slow, start, success } = yield* makeWorld
      yield* start()
      slow.journal = 30_000
      const id = yield* send()
      yield* seconds(31) // it has found nothing, and its intent is under way
      slow.journal = 0
      yield* seconds(29)
      assert.deepStrictEqual(yield* ledger, [])
      yield* seconds(10)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
      assert.isUndefined(yield* metric("generations_uncertain_total"))
    })
  )

  it.effect("uses up nothing of what an earlier lost submit may have", () =>
    Effect.gen(function* () {
      const { ledger, metric, script, seconds, send, start, success, unanswered } = yield* makeWorld
      yield* script.submits("lost")
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      unanswered.push("intend", "intend")
      yield* seconds(80)
      yield* success(id)
      assert.deepStrictEqual([unanswered.length, (yield* ledger).length], [0, 2])
      assert.strictEqual(yield* metric('generations_uncertain_ended_total{how="resubmitted"}'), 1)
    })
  )
})

describe("what nobody wants any more", () => {
  const never = { ends: "never" } as const
  const wasted = 'billable_units_total{endpoint="fal-ai/flux/dev",use="wasted"}'

  it.effect("revoked before it was run again, its request is cancelled and its place free", () =>
    Effect.gen(function* () {
      const { call, counts, journal, ledger, result, script, seconds, send, start } = yield* makeFleet
      yield* script.jobs(never)
      const first = yield* start("w1@host")
      const id = yield* send()
      yield* seconds(5)
      yield* first.kill
      yield* start("w2@host")
      yield* call({ method: "revoke", arguments: { task_id: id } })
      assert.strictEqual(yield* journal.inFlight, 1)
      yield* seconds(60)
      assert.strictEqual((yield* result(id))?.status, "REVOKED")
      assert.strictEqual((yield* ledger)[0]?.outcome, "cancelled")
      assert.strictEqual(yield* journal.inFlight, 0)
      assert.deepStrictEqual(yield* journal.counts, none)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("and was made all the same, is counted as paid and wasted, and not saved", () =>
    Effect.gen(function* () {
      const { call, journal, ledger, metric, result, rows, seconds, send, start } = yield* makeFleet
      const first = yield* start("w1@host")
      const id = yield* send()
      yield* seconds(0.5)
      yield* first.kill
      yield* start("w2@host")
      yield* call({ method: "revoke", arguments: { task_id: id } })
      yield* seconds(60)
      assert.strictEqual((yield* result(id))?.status, "REVOKED")
      assert.deepStrictEqual([(yield* ledger)[0]?.outcome, (yield* rows()).length], ["picture", 0])
      assert.deepStrictEqual([yield* metric(used), yield* metric(wasted)], [undefined, 1])
      assert.strictEqual(yield* journal.inFlight, 0)
    })
  )

  it.effect("keeps no place though the answer to its submit was lost", () =>
    Effect.gen(function* () {
      const { ask, journal, ledger, result, script, seconds, send, start } = yield* makeFleet
      yield* script.submits("lost")
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      yield* ask("revoke", { task_id: id })
      assert.strictEqual(yield* journal.inFlight, 1)
      yield* seconds(70)
      assert.strictEqual((yield* result(id))?.status, "REVOKED")
      assert.strictEqual((yield* ledger).length, 1)
      assert.strictEqual(yield* journal.inFlight, 0)
    })
  )

  it.effect("is watched to its end though it was terminated in the middle of a slow submit", () =>
    Effect.gen(function* () {
      const { ask, journal, ledger, result, script, seconds, send, start } = yield* makeFleet
      yield* script.jobs(never)
      yield* script.submits({ answered: 20_000 })
      yield* start()
      const id = yield* send()
      yield* seconds(3)
      yield* ask("revoke", { task_id: id, terminate: true })
      yield* seconds(10)
      assert.strictEqual((yield* result(id))?.status, "REVOKED")
      yield* seconds(20)
      assert.strictEqual((yield* ledger)[0]?.outcome, "cancelled")
      assert.strictEqual(yield* journal.inFlight, 0)
    })
  )

  it.effect("keeps no place when it fails of a fal that was busy the second time", () =>
    Effect.gen(function* () {
      const { failure, journal, script, seconds, send, start } = yield* makeWorld
      yield* script.submits("lost", "busy")
      yield* start({ env: { TASK_MAX_RETRIES: "0" } })
      const id = yield* send()
      yield* seconds(70)
      assert.match((yield* failure(id)).message, /Concurrent requests limit reached/)
      assert.strictEqual(yield* journal.inFlight, 0)
    })
  )

  it.effect("is let go at its hard limit, once fal has obeyed", () =>
    Effect.gen(function* () {
      const { failure, journal, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 60_000 })
      yield* script.ignoreCancels
      yield* start()
      const id = yield* send({ limits: { soft: 10, hard: 20 } })
      yield* seconds(30)
      assert.strictEqual((yield* failure(id)).type, "TimeLimitExceeded")
      assert.strictEqual(yield* journal.inFlight, 1)
      yield* seconds(40)
      assert.strictEqual(yield* journal.inFlight, 0)
    })
  )
})
