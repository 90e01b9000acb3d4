import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Row } from "../../../src/services/Ledger.ts"
import * as NanoDollars from "../../../src/services/NanoDollars.ts"
import { makeFleet } from "../control/fleet.ts"
import { empty, five, makeWorld } from "../world.ts"

const price = NanoDollars.usd("0.025")
const about = ({ caller, cost, outcome, requestId, source, units }: Row) => ({ caller, cost, outcome, requestId, source, units })

describe("the ledger has one row", () => {
  it.effect("for a picture that was saved, with who pays", () =>
    Effect.gen(function* () {
      const { ledger, paid, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ rootId: "the-root", headers: { "x-caller": "studio" } })
      yield* seconds(5)
      yield* success(id)
      const [row, ...others] = yield* paid
      const [request] = yield* ledger
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual(row, {
        taskId: id,
        attempt: row!.attempt,
        rootId: "the-root",
        caller: "studio",
        model: "fal-ai/flux/dev",
        requestId: request!.requestId,
        units: 1,
        price,
        cost: price,
        source: "units",
        outcome: "used",
        at: row!.at,
        billed: null
      })
      assert.isAtMost(row!.at, request!.acceptedAt)
    })
  )

  it.effect("for one that is not to be saved, though the database is away as its result is told", () =>
    Effect.gen(function* () {
      const { away, journal, paid, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const first = yield* send({ kwargs: { ...five, save: false } })
      yield* seconds(5)
      away.database = true
      const second = yield* send({ kwargs: { ...five, save: false } })
      yield* seconds(30)
      yield* success(first)
      yield* success(second)
      assert.deepStrictEqual(
        (yield* paid).map(({ outcome, taskId }) => [taskId, outcome]),
        [[first, "used"]]
      )
      assert.strictEqual(yield* journal.owing, 1)
      away.database = false
      yield* seconds(300)
      assert.deepStrictEqual(
        (yield* paid).map(({ outcome, taskId }) => [taskId, outcome]),
        [
          [first, "used"],
          [second, "used"]
        ]
      )
      assert.strictEqual(yield* journal.owing, 0)
    })
  )

  it.effect("for a flagged picture, written before its failure is told", () =>
    Effect.gen(function* () {
      const { failure, ledger, paid, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "flagged", after: 1000 })
      yield* start({ death: { at: "store", when: "before" } })
      const id = yield* send()
      yield* seconds(5)
      const [request] = yield* ledger
      const rows = yield* paid
      assert.deepStrictEqual(rows.map(about), [
        { caller: "gen@test", cost: price, outcome: "flagged", requestId: request!.requestId, source: "units", units: 1 }
      ])
      yield* start()
      yield* seconds(60)
      assert.strictEqual((yield* failure(id)).type, "PictureFlagged")
      assert.deepStrictEqual(yield* paid, rows)
    })
  )

  it.effect("for a request whose answer was lost, and one for the request in its place", () =>
    Effect.gen(function* () {
      const { ledger, paid, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits("lost")
      yield* start()
      const id = yield* send()
      yield* seconds(80)
      yield* success(id)
      const [, second] = yield* ledger
      assert.deepStrictEqual(
        (yield* paid).map(({ cost, outcome, requestId, source }) => ({ cost, outcome, requestId, source })),
        [
          { cost: price, outcome: "uncertain", requestId: null, source: "estimate" },
          { cost: price, outcome: "used", requestId: second!.requestId, source: "units" }
        ]
      )
    })
  )

  it.effect("for a lost request that is found in the bills, and none for one that whole bills do not have", () =>
    Effect.gen(function* () {
      const { paid, script, seconds, send, start, success } = yield* makeWorld
      script.bills.isReadable = true
      yield* start()
      yield* script.submits("lost", "dropped")
      const [found, again] = [yield* send(), yield* send()]
      yield* seconds(400)
      yield* success(found)
      yield* success(again)
      const expected = [found, again].map((id) => `${id} used`)
      assert.deepStrictEqual((yield* paid).map(({ outcome, taskId }) => `${taskId} ${outcome}`).toSorted(), expected.toSorted())
    })
  )

  it.effect(
    "for each of two that were lost, when the task is given up; none for what failed or was refused and cost nothing",
    () =>
      Effect.gen(function* () {
        const { failure, paid, script, seconds, send, start } = yield* makeWorld
        yield* script.submits("lost", "lost", "busy")
        yield* script.jobs({ ends: "picture", after: 1 }, { ends: "picture", after: 1 })
        yield* start()
        const lost = yield* send()
        yield* seconds(200)
        assert.match((yield* failure(lost)).message, /was lost 2 times/)
        yield* script.jobs({ ends: "failed", after: 1000, type: "runner_error" }, { ends: "refused", after: 1000, type: "no" })
        const refused = yield* send()
        yield* seconds(60)
        assert.strictEqual((yield* failure(refused)).type, "ContentRefused")
        assert.deepStrictEqual(
          (yield* paid).map(({ outcome, taskId }) => [taskId, outcome]),
          [
            [lost, "uncertain"],
            [lost, "uncertain"]
          ]
        )
      })
  )

  it.effect("for what fal accepted without a name, and for an answer that cannot be read", () =>
    Effect.gen(function* () {
      const { paid, script, seconds, send, start } = yield* makeWorld
      yield* start()
      yield* script.submits("unnamed")
      const unnamed = yield* send()
      yield* seconds(5)
      yield* script.jobs({ ends: "unreadable", after: 1000 })
      const unreadable = yield* send()
      yield* seconds(20)
      assert.deepStrictEqual(
        (yield* paid).map(({ outcome, requestId, source, taskId }) => [taskId, outcome, requestId !== null, source]),
        [
          [unnamed, "wasted", false, "estimate"],
          [unreadable, "wasted", true, "units"]
        ]
      )
    })
  )
})

describe("a picture that nobody gets is in the ledger as wasted", () => {
  it.effect("if it comes after the hard limit, whoever learns of it", () =>
    Effect.gen(function* () {
      const { failure, journal, paid, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 60_000 })
      yield* script.ignoreCancels
      const first = yield* start()
      const id = yield* send({ limits: { soft: 10, hard: 20 } })
      yield* seconds(25)
      assert.strictEqual((yield* failure(id)).type, "TimeLimitExceeded")
      assert.strictEqual(yield* journal.owing, 1)
      yield* first.kill
      yield* start()
      yield* seconds(400)
      assert.deepStrictEqual(
        (yield* paid).map(({ outcome }) => outcome),
        ["wasted"]
      )
      assert.strictEqual(yield* journal.owing, 0)
    })
  )

  it.effect("if it was revoked and comes all the same; cancelled in time it cost nothing", () =>
    Effect.gen(function* () {
      const { ask, journal, ledger, paid, script, seconds, send, start } = yield* makeFleet
      yield* script.jobs({ ends: "never" }, { ends: "picture", after: 5000 })
      yield* start()
      const cancelled = yield* send()
      yield* seconds(3)
      yield* ask("revoke", { task_id: cancelled, terminate: true })
      yield* seconds(10)
      yield* script.ignoreCancels
      const late = yield* send()
      yield* seconds(3)
      yield* ask("revoke", { task_id: late, terminate: true })
      yield* seconds(30)
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome }) => outcome),
        ["cancelled", "picture"]
      )
      assert.deepStrictEqual(
        (yield* paid).map(({ outcome, taskId }) => [taskId, outcome]),
        [[late, "wasted"]]
      )
      assert.strictEqual(yield* journal.owing, 0)
    })
  )

  it.effect("if the database refuses its row for good", () =>
    Effect.gen(function* () {
      const { database, failure, paid, seconds, send, start } = yield* makeWorld
      database.refuses = true
      yield* start({ env: { TASK_MAX_RETRIES: "1" } })
      const id = yield* send()
      yield* seconds(400)
      assert.strictEqual((yield* failure(id)).type, "LibraryError")
      assert.deepStrictEqual(
        (yield* paid).map(({ outcome }) => outcome),
        ["wasted"]
      )
    })
  )
})

describe("who pays", () => {
  it.effect("is the client that sent the batch or the chain, whichever worker sent its tasks on", () =>
    Effect.gen(function* () {
      const { counts, paid, seconds, send, start } = yield* makeWorld
      yield* start()
      yield* send({ task: "batch_generate", kwargs: { count: 2 }, headers: { origin: "gen4711@app-1" } })
      const edit = { task: "edit_model", args: [], kwargs: { prompt: "red" }, options: { task_id: "e" }, immutable: false }
      yield* send({ embed: { chain: [{ ...edit, subtask_type: null }] }, headers: { "x-caller": " the\nstudio " } })
      yield* seconds(60)
      assert.deepStrictEqual((yield* paid).map(({ caller }) => caller).toSorted(), [
        "gen@test",
        "gen@test",
        "the studio",
        "the studio"
      ])
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})
