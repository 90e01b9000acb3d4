/** What a task waits for in no fault of its own: the account and the database. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { empty, makeWorld } from "../world.ts"

describe("the account is locked or the key is wrong", () => {
  it.effect("no task fails for it: it goes back, the worker pauses and says so, and takes tasks again when it is mended", () =>
    Effect.gen(function* () {
      const { counts, ledger, metric, result, script, seconds, send, start, success } = yield* makeWorld
      const locked = Array.from({ length: 3 }, () => "locked" as const)
      yield* script.submits("locked")
      yield* script.looks(...locked) // what the free question sees
      const { vitals } = yield* start()
      const ids = [yield* send(), yield* send()]
      yield* seconds(1)
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 2 })
      assert.match(vitals.paused, /fal account: fal answered 403: User is locked/)
      assert.strictEqual(yield* metric("consuming"), 0)
      assert.strictEqual(yield* metric('pauses_total{reason="fal account"}'), 1)
      yield* seconds(15 + 30 + 60) // three questions answered the same, each after a longer pause
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 2 })
      assert.strictEqual((yield* script.calls).submit, 1)
      for (const id of ids) assert.isUndefined(yield* result(id))
      yield* seconds(240)
      for (const id of ids) yield* success(id)
      assert.strictEqual(vitals.paused, "")
      assert.strictEqual(yield* metric("consuming"), 1)
      assert.strictEqual((yield* ledger).length, 2)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("a picture that ends in another slot meanwhile takes no further task with it", () =>
    Effect.gen(function* () {
      const { counts, ledger, script, seconds, send, start } = yield* makeWorld
      const { vitals } = yield* start({ env: { WORKER_CONCURRENCY: "2" } })
      yield* send()
      yield* script.submits("locked") // while the first one is made
      for (let n = 0; n < 3; n++) yield* send()
      yield* seconds(12)
      assert.match(vitals.paused, /fal account/)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 3 })
      yield* seconds(60)
      assert.strictEqual((yield* ledger).length, 4)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("found out in the middle of a picture, the request id is kept and the picture not bought again", () =>
    Effect.gen(function* () {
      const { counts, ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.looks("locked", "locked")
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 1 })
      yield* seconds(30)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )

  it.effect("a task that goes back does not count as crashed", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits("locked", "locked", "locked", "locked", "locked")
      yield* start()
      const id = yield* send()
      yield* seconds(3600)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )
})

describe("PostgreSQL is away", () => {
  it.effect("the save alone is retried, however long it takes: paid once, saved once", () =>
    Effect.gen(function* () {
      const { away, counts, ledger, result, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send()
      away.database = true
      yield* seconds(3 * 3600)
      assert.strictEqual((yield* result(id))!.status, "RETRY")
      assert.deepInclude(yield* counts, { queued: 0, dead: 0, scheduled: 1 })
      away.database = false
      yield* seconds(61)
      assert.strictEqual((yield* success(id))["version"], 1)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.strictEqual((yield* script.calls).submit, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("what it refuses for good is a FAILURE after the retries, and says where the paid picture is", () =>
    Effect.gen(function* () {
      const { counts, database, failure, ledger, rows, seconds, send, start } = yield* makeWorld
      database.refuses = true
      yield* start()
      const id = yield* send()
      yield* seconds(600)
      const failed = yield* failure(id)
      assert.strictEqual(failed.type, "LibraryError")
      assert.match(failed.message, /value too long.*https:\/\/fal\.example\//)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 0])
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})
