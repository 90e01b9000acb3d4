/** No picture is bought that could not be saved. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { pausedBy } from "../../../src/programs/task/obstacles.ts"
import type { Vitals } from "../../../src/services/Vitals.ts"
import { empty, five, makeWorld } from "../world.ts"

type World = Effect.Success<typeof makeWorld>
const health = ({ vitals }: { readonly vitals: Vitals["Service"] }) =>
  Effect.map(Clock.currentTimeMillis, (now) => pausedBy(vitals, now))
const sendSome = Effect.fnUntraced(function* (world: World, count: number) {
  const ids = []
  for (let n = 0; n < count; n++) ids.push(yield* world.send())
  return ids
})
const allSaved = Effect.fnUntraced(function* (world: World, ids: ReadonlyArray<string>) {
  for (const id of ids) assert.isTrue((yield* world.success(id))["saved"])
  assert.strictEqual((yield* world.ledger).length, ids.length, "each is paid once")
  assert.deepStrictEqual(yield* world.counts, empty)
})

describe("while the database is away", () => {
  it.effect(
    "a worker that has saved nothing for a while buys nothing, says so, answers health checks, and goes on by itself",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld
        const worker = yield* world.start()
        yield* world.seconds(2)
        world.away.database = true
        const ids = yield* sendSome(world, 30)
        yield* world.seconds(20)
        assert.strictEqual((yield* world.ledger).length, 0)
        assert.match(yield* health(worker), /^pictures cannot be saved, so none is bought: .*connection refused/)
        const check = yield* world.send({ task: "health_check", kwargs: {} })
        const unsaved = yield* world.send({ kwargs: { ...five, save: false } })
        yield* world.seconds(20)
        assert.strictEqual((yield* world.success(check))["status"], "degraded")
        yield* world.success(unsaved)
        world.away.database = false
        yield* world.seconds(120)
        assert.strictEqual(yield* health(worker), "")
        for (const id of ids) yield* world.success(id)
        assert.strictEqual((yield* world.ledger).length, 31)
      })
  )

  it.effect("each slot has one picture paid at the most, which is saved first when it is back", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const worker = yield* world.start({ env: { WORKER_CONCURRENCY: "3" } })
      yield* world.send()
      yield* world.seconds(5)
      const ids = yield* sendSome(world, 20)
      world.away.database = true
      yield* world.seconds(600)
      assert.isAtMost((yield* world.ledger).length, 1 + 3)
      assert.match(yield* health(worker), /^pictures cannot be saved/)
      world.away.database = false
      yield* world.seconds(150)
      for (const id of ids) yield* world.success(id)
      assert.strictEqual((yield* world.ledger).length, 21)
      assert.deepStrictEqual(yield* world.counts, empty)
    })
  )
})

describe("a table that takes no row of ours", () => {
  it.effect("stops the buying at the first picture, which waits however long it takes, and nothing fails", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const worker = yield* world.start()
      const first = yield* world.send()
      yield* world.seconds(10)
      world.database.takesNone = true
      const ids = yield* sendSome(world, 10)
      yield* world.seconds(3600)
      assert.strictEqual((yield* world.ledger).length, 2)
      assert.match(yield* health(worker), /^pictures cannot be saved, so none is bought: save: value too long/)
      for (const id of ids) assert.notInclude(["FAILURE"], (yield* world.result(id))?.status)
      world.database.takesNone = false
      yield* world.seconds(400)
      yield* allSaved(world, [first, ...ids])
    })
  )

  it.effect("stops a worker that has just started before it buys one", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      world.database.takesNone = true
      const worker = yield* world.start()
      const ids = yield* sendSome(world, 3)
      yield* world.seconds(60)
      assert.strictEqual((yield* world.ledger).length, 0)
      assert.match(worker.vitals.notReady, /rehearse: null value in a column/)
      world.database.takesNone = false
      yield* world.seconds(100)
      yield* allSaved(world, ids)
    })
  )
})

describe("pictures that are refused one by one", () => {
  it.effect("two in a row stop the buying for a pause that grows; a row that is taken ends it", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      world.database.refuses = true
      yield* world.start({ env: { TASK_MAX_RETRIES: "3" } })
      const ids = yield* sendSome(world, 20)
      yield* world.seconds(600)
      assert.isAtMost((yield* world.ledger).length, 8)
      assert.isAtLeast((yield* world.ledger).length, 2)
      world.database.refuses = false
      yield* world.seconds(400)
      const ended = []
      for (const id of ids) ended.push((yield* world.result(id))?.status)
      assert.isTrue(ended.every((status) => status === "SUCCESS" || status === "FAILURE"))
      assert.isAtMost(ended.filter((status) => status === "FAILURE").length, 8)
      assert.deepStrictEqual(yield* world.counts, empty)
    })
  )
})
