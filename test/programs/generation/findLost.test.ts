/** Requests whose answer was lost, where the bills of the account can be read. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { five, makeWorldWith } from "../world.ts"

/** An even number. Three hundred take some minutes. */
const LOST = Number(process.env["LOST_ANSWERS"] ?? 20)

const world = (env: Readonly<Record<string, string>> = {}) =>
  Effect.tap(makeWorldWith({ env }), ({ script, start }) =>
    Effect.gen(function* () {
      script.bills.isReadable = true
      yield* start()
    })
  )
const seeded = (seed: number, kwargs: Readonly<Record<string, unknown>> = {}) => ({ kwargs: { ...five, seed, ...kwargs } })

describe("a request whose answer was lost", () => {
  it.effect("is found in the bills after its grace and waited for: nothing is paid twice", () =>
    Effect.gen(function* () {
      const { budget, ledger, metric, script, seconds, send, success } = yield* world()
      yield* script.submits("lost")
      const id = yield* send()
      yield* seconds(90)
      const [request, ...others] = yield* ledger
      assert.lengthOf(others, 0)
      assert.strictEqual((yield* success(id))["fal_request_id"], request!.requestId)
      assert.strictEqual(yield* metric('generations_uncertain_ended_total{how="found"}'), 1)
      assert.strictEqual((yield* budget.status).reservations, 0)
    })
  )

  it.effect("is made again once the bills of its time are whole and do not have it", () =>
    Effect.gen(function* () {
      const { ledger, metric, script, seconds, send, success } = yield* world()
      yield* script.submits("dropped")
      const id = yield* send()
      yield* seconds(55)
      assert.lengthOf(yield* ledger, 0)
      yield* seconds(15)
      const later = yield* send()
      yield* seconds(30)
      yield* success(later)
      yield* success(id)
      assert.lengthOf(yield* ledger, 2)
      assert.strictEqual(yield* metric('generations_uncertain_ended_total{how="resubmitted"}'), 1)
    })
  )

  it.effect("is waited for while the bills are late, as they may yet have it", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, success } = yield* world()
      script.bills.late = 100_000
      yield* script.submits("lost")
      const id = yield* send()
      yield* seconds(95)
      assert.lengthOf(yield* ledger, 1)
      yield* seconds(60)
      yield* success(id)
      assert.lengthOf(yield* ledger, 1)
    })
  )

  it.effect("is made again in the end where nobody else makes requests and the bills stay empty", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, success } = yield* world()
      yield* script.submits("dropped")
      const id = yield* send()
      yield* seconds(290)
      assert.lengthOf(yield* ledger, 0)
      yield* seconds(60)
      yield* success(id)
      assert.lengthOf(yield* ledger, 1)
    })
  )

  it.effect("is made again after its grace, as without a key, where the bills cannot be read", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, success } = yield* world()
      script.bills.trouble = "fal answered 500"
      yield* script.submits("dropped")
      const id = yield* send()
      yield* seconds(70)
      yield* success(id)
      assert.lengthOf(yield* ledger, 1)
    })
  )

  it.effect("is not taken for another task's of the same seed", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, success } = yield* world()
      yield* script.submits("dropped")
      const id = yield* send(seeded(7))
      const other = yield* send(seeded(7, { pose: "side" }))
      yield* seconds(200)
      const late = yield* send()
      yield* seconds(60)
      yield* success(late)
      const [one, two] = [yield* success(id), yield* success(other)]
      assert.notStrictEqual(one["fal_request_id"], two["fal_request_id"])
      assert.lengthOf(yield* ledger, 3)
    })
  )

  it.effect("is made again more often than FAL_MAX_RESUBMITS says where the bills show that fal took none", () =>
    Effect.gen(function* () {
      const { ledger, metric, script, seconds, send, success } = yield* world()
      yield* script.submits("dropped", "dropped", "dropped")
      const id = yield* send()
      yield* seconds(1500)
      yield* success(id)
      assert.lengthOf(yield* ledger, 1)
      assert.strictEqual(yield* metric('generations_uncertain_ended_total{how="resubmitted"}'), 3)
    })
  )

  it.effect("that fal never takes is given up in the end, and has cost nothing", () =>
    Effect.gen(function* () {
      const { failure, ledger, script, seconds, send } = yield* world()
      yield* script.submits(...Array.from({ length: 40 }, () => "dropped" as const))
      const id = yield* send()
      yield* seconds(12_000)
      assert.include((yield* failure(id)).message, "was lost 22 times: not asked again")
      assert.lengthOf(yield* ledger, 0)
    })
  )

  it.effect("is not taken for one like it that another task has got", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, success } = yield* world()
      const id = yield* send(seeded(7))
      yield* seconds(5)
      const got = yield* success(id)
      yield* script.submits("dropped")
      const alike = yield* send(seeded(7))
      yield* seconds(400)
      assert.notStrictEqual((yield* success(alike))["fal_request_id"], got["fal_request_id"])
      assert.lengthOf(yield* ledger, 2)
    })
  )

  it.effect("is found, too, where none may be made again", () =>
    Effect.gen(function* () {
      const { failure, ledger, script, seconds, send, success } = yield* world({ FAL_MAX_RESUBMITS: "0" })
      yield* script.submits("lost", "dropped")
      const [found, lost] = [yield* send(), yield* send()]
      yield* seconds(400)
      yield* success(found)
      assert.include((yield* failure(lost)).message, "was lost once: not asked again")
      assert.lengthOf(yield* ledger, 1)
    })
  )

  it.effect(
    `${LOST} at once, half of them taken by fal: all are told apart, nothing is paid twice and none fails`,
    () =>
      Effect.gen(function* () {
        const { ledger, metric, script, seconds, send, success } = yield* world({ WORKER_CONCURRENCY: "8" })
        const ways = Array.from({ length: LOST }, (_, n) => (n % 2 === 0 ? ("lost" as const) : ("dropped" as const)))
        yield* script.submits(...ways)
        const ids: Array<string> = []
        for (const seed of ways.keys()) ids.push(yield* send(seeded(seed)))
        // While each submit fails, the worker tries only now and then.
        yield* seconds(LOST * 60 + 1200)
        for (const id of ids) yield* success(id)
        assert.lengthOf(new Set((yield* ledger).map(({ input }) => input["seed"])), LOST)
        assert.lengthOf(yield* ledger, LOST)
        const ended = (how: string) => metric(`generations_uncertain_ended_total{how="${how}"}`)
        assert.deepStrictEqual([yield* ended("found"), yield* ended("resubmitted")], [LOST / 2, LOST / 2])
      }),
    { timeout: 30_000 + LOST * 2000 }
  )
})
