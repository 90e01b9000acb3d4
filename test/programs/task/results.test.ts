/** When a task is due or over, and what is stored of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { message } from "../../support.ts"
import { empty, five, makeWorld } from "../world.ts"

const changed = (id: string, change: (envelope: Record<string, unknown>) => object) =>
  JSON.stringify(change(JSON.parse(message({ id, task: "generate_model", kwargs: five }).raw) as Record<string, unknown>)) // written by us

describe("times in the message", () => {
  it.effect("expired: REVOKED, nothing paid", () =>
    Effect.gen(function* () {
      const { counts, ledger, result, seconds, send, start } = yield* makeWorld
      yield* seconds(100)
      yield* start()
      const id = yield* send({ expires: "1970-01-01T00:01:39+00:00" })
      yield* seconds(1)
      assert.deepInclude((yield* result(id))!, {
        status: "REVOKED",
        result: { exc_type: "TaskRevokedError", exc_message: ["expired"], exc_module: "celery.exceptions" }
      })
      assert.strictEqual((yield* ledger).length, 0)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("not yet due: held among the unacknowledged, run at its time and not before, with the slot free", () =>
    Effect.gen(function* () {
      const { counts, ledger, result, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ eta: "1970-01-01T01:00:00+00:00" })
      const now = yield* send()
      yield* seconds(10)
      yield* success(now)
      yield* seconds(3580)
      assert.deepStrictEqual(yield* counts, { ...empty, scheduled: 1 })
      assert.strictEqual((yield* ledger).length, 1)
      assert.isUndefined(yield* result(id))
      yield* seconds(20)
      yield* success(id)
      assert.isAtLeast((yield* ledger)[1]!.acceptedAt, 3_600_000)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("due after it expires: REVOKED when its time comes", () =>
    Effect.gen(function* () {
      const { ledger, result, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send({ eta: "1970-01-01T00:01:00Z", expires: "1970-01-01T00:00:30Z" })
      yield* seconds(70)
      assert.strictEqual((yield* result(id))!.status, "REVOKED")
      assert.strictEqual((yield* ledger).length, 0)
    })
  )
})

describe("a result", () => {
  it.effect("of a redelivered task that has a SUCCESS already is kept, and nothing is done twice", () =>
    Effect.gen(function* () {
      const { counts, ledger, pushRaw, result, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send()
      yield* seconds(60)
      const first = yield* result(id)
      yield* pushRaw(
        changed(id, (envelope) => ({ ...envelope, headers: { ...(envelope["headers"] as object), redelivered: true } }))
      )
      yield* seconds(5)
      assert.deepStrictEqual(yield* result(id), first)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("is paid once though Redis forgets the journal and that its worker has the message", () =>
    Effect.gen(function* () {
      const { counts, forgetHolds, journal, ledger, seconds, send, start, success } = yield* makeWorld
      yield* start({ env: { WORKER_CONCURRENCY: "2" } })
      const id = yield* send()
      yield* seconds(0.5)
      const { entry } = yield* journal.find(id)
      if (Option.isNone(entry) || entry.value._tag !== "Submitted") return assert.fail("nothing was submitted")
      yield* journal.withdraw(id, entry.value, Option.none())
      yield* forgetHolds
      yield* seconds(20)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("that nobody wants is not stored, but its failure is", () =>
    Effect.gen(function* () {
      const { counts, failure, pushRaw, result, rows, script, seconds, start } = yield* makeWorld
      yield* script.submits("accepted", { refused: "no" })
      yield* start()
      for (const id of ["quiet", "loud"])
        yield* pushRaw(
          changed(id, (envelope) => ({ ...envelope, headers: { ...(envelope["headers"] as object), ignore_result: true } }))
        )
      yield* seconds(10)
      assert.isUndefined(yield* result("quiet"))
      assert.strictEqual((yield* failure("loud")).type, "ContentRefused")
      assert.strictEqual((yield* rows()).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("with TASK_TRACK_STARTED", () => {
  const tracking = { env: { TASK_TRACK_STARTED: "true" }, name: "celery@tracking" }

  it.effect("a task is STARTED while fal works on it", () =>
    Effect.gen(function* () {
      const { ledger, result, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 5000 })
      yield* start(tracking)
      const id = yield* send()
      yield* seconds(1)
      const started = yield* result(id)
      assert.deepInclude(started, { status: "STARTED", traceback: null, children: [], date_done: null })
      assert.match(JSON.stringify(started?.result), /^\{"pid":\d+,"hostname":"celery@tracking"\}$/)
      assert.strictEqual((yield* ledger).length, 1)
      yield* seconds(10)
      assert.strictEqual((yield* result(id))?.status, "SUCCESS")
    })
  )

  it.effect("what cannot be stored of a start holds nothing up: the picture is bought, and the limits count", () =>
    Effect.gen(function* () {
      const { away, failure, ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 5000 }, { ends: "never" })
      yield* start({ ...tracking, env: { ...tracking.env, TASK_SOFT_TIME_LIMIT: "20", WORKER_CONCURRENCY: "2" } })
      away.results = true
      const [good, bad] = [yield* send(), yield* send()]
      yield* seconds(30)
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome }) => outcome),
        ["picture", "cancelled"]
      )
      away.results = false
      yield* seconds(5)
      yield* success(good)
      assert.strictEqual((yield* failure(bad)).type, "SoftTimeLimitExceeded")
    })
  )

  it.effect("without it nothing is stored before the end", () =>
    Effect.gen(function* () {
      const { ledger, result, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send()
      yield* seconds(1)
      assert.deepStrictEqual([yield* result(id), (yield* ledger).length], [undefined, 1])
    })
  )

  it.effect("what was stored before it is run again stays until it has ended", () =>
    Effect.gen(function* () {
      const { failure, pushRaw, result, results, seconds, start } = yield* makeWorld
      const id = "again"
      yield* results.store({
        task_id: id,
        status: "FAILURE",
        traceback: null,
        children: [],
        date_done: null,
        result: { exc_type: "WorkerLostError", exc_message: ["gone"], exc_module: "billiard.exceptions" }
      })
      yield* start(tracking)
      yield* pushRaw(changed(id, (envelope) => envelope))
      yield* seconds(1)
      assert.strictEqual((yield* failure(id)).type, "WorkerLostError")
      yield* seconds(10)
      assert.strictEqual((yield* result(id))?.status, "SUCCESS")
    })
  )
})
