/** One endpoint of fal that takes nothing must not stop the tasks that do not need it. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { closed, pausedBy } from "../../../src/programs/task/obstacles.ts"
import type { Vitals } from "../../../src/services/Vitals.ts"
import { empty, makeWorld, makeWorldWith } from "../world.ts"

const EDIT = "fal-ai/flux/dev/image-to-image"
const GENERATE = "fal-ai/flux/dev"
const edit = {
  task: "edit_model",
  kwargs: { prompt: "x", model: { template_id: "t", image_url: "https://fal.example/1.jpg" } }
}
const healthOf = (vitals: Vitals["Service"]) => Effect.map(Clock.currentTimeMillis, (now) => pausedBy(vitals, now))

describe("an endpoint that fal refuses", () => {
  for (const status of [403, 404])
    it.effect(`with ${status}: its task is parked, ten others of another endpoint are made, by both workers`, () =>
      Effect.gen(function* () {
        const world = yield* makeWorld
        world.forbidden.set(EDIT, status)
        const workers = [yield* world.start(), yield* world.start()]
        const refused = yield* world.send(edit)
        const ids = []
        for (let n = 0; n < 10; n++) ids.push(yield* world.send())
        yield* world.seconds(14)
        for (const id of ids) yield* world.success(id)
        assert.deepStrictEqual(world.refusals, [EDIT])
        assert.deepStrictEqual(yield* world.counts, { ...empty, scheduled: 1 })
        assert.isUndefined(yield* world.result(refused), "nobody was told anything")
        assert.strictEqual(workers[0]!.vitals.paused + workers[1]!.vitals.paused, "")
        assert.include(workers.map(({ vitals }) => closed(vitals)).join(), `${EDIT} (fal answered ${status}: not for you)`)
        assert.strictEqual(yield* world.metric('pauses_total{reason="fal account"}'), undefined)
      })
    )

  it.effect("is tried by one task after pauses from 15 s to 5 min, and all its tasks are made once it is set right", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      world.forbidden.set(EDIT, 403)
      const { vitals } = yield* world.start({ env: { WORKER_CONCURRENCY: "3" } })
      const ids = []
      for (let n = 0; n < 6; n++) ids.push(yield* world.send(edit))
      const tries = []
      for (const until of [14, 44, 104, 224, 464, 1000]) {
        yield* world.seconds(until - (tries.length === 0 ? 0 : tries.at(-1)![0]!))
        tries.push([until, world.refusals.length])
      }
      // At 0, for each slot, then at about 15, 45, 105, 225, 465 and 765.
      const [first] = tries[0]!.slice(1)
      assert.isAtMost(first!, 3)
      assert.deepStrictEqual(
        tries.map(([, count]) => count! - first!),
        [0, 1, 2, 3, 4, 5 + 1]
      )
      assert.match(yield* healthOf(vitals), /^each task waits for what is closed: .*image-to-image \(fal answered 403/)
      assert.strictEqual(yield* world.metric("consuming"), 0)
      world.forbidden.clear()
      yield* world.seconds(330)
      for (const id of ids) yield* world.success(id)
      assert.strictEqual(yield* healthOf(vitals), "")
      assert.strictEqual(yield* world.metric("consuming"), 1)
      assert.strictEqual((yield* world.ledger).length, 6)
      assert.deepStrictEqual(yield* world.counts, empty)
    })
  )

  it.effect("with thousands waiting for it: those behind get their turn, the broker a bounded number of commands", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      world.forbidden.set(EDIT, 403)
      const worker = yield* world.start()
      for (let n = 0; n < 150; n++) yield* world.send(edit)
      const behind = yield* world.send()
      yield* world.seconds(20)
      const before = worker.plug.calls
      yield* world.seconds(10)
      assert.isBelow(worker.plug.calls - before, 10 * 10 * 8)
      yield* world.seconds(30)
      yield* world.success(behind)
      yield* world.seconds(200)
      assert.isAtMost(world.refusals.length, 5)
      world.forbidden.clear()
      yield* world.seconds(600)
      assert.deepStrictEqual(yield* world.counts, empty)
      assert.strictEqual((yield* world.ledger).length, 151)
    })
  )

  it.effect("when every endpoint is refused, the worker pauses as a whole and says so", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      world.forbidden.set(EDIT, 403).set(GENERATE, 403)
      const { vitals } = yield* world.start()
      const ids = [yield* world.send(edit), yield* world.send()]
      yield* world.seconds(5)
      assert.match(vitals.paused, /fal account: fal answered 403: not for you/)
      world.forbidden.clear()
      yield* world.seconds(60)
      for (const id of ids) yield* world.success(id)
      assert.deepStrictEqual(yield* world.counts, empty)
    })
  )

  it.effect("and refuses a free question too: the account is at fault, and the worker pauses as a whole", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      world.forbidden.set(EDIT, 403)
      yield* world.script.looks("locked")
      const { vitals } = yield* world.start()
      yield* world.send(edit)
      yield* world.seconds(1)
      assert.match(vitals.paused, /fal account: fal answered 403: not for you/)
      assert.deepStrictEqual(yield* world.counts, { ...empty, queued: 1 })
    })
  )
})

describe("fal's Retry-After", () => {
  it.effect("is kept to by the whole fleet: no submit to that endpoint before, and only one at that time", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith({ env: { TASK_MAX_RETRIES: "2" } })
      yield* world.script.submits({ busyFor: 90 })
      yield* world.start()
      yield* world.start()
      const first = yield* world.send()
      yield* world.seconds(1)
      const ids = [first]
      for (let n = 0; n < 5; n++) ids.push(yield* world.send())
      const other = yield* world.send(edit)
      yield* world.seconds(10)
      yield* world.success(other)
      yield* world.script.submits({ busyFor: 90 })
      const submits = Effect.map(world.script.calls, ({ submit }) => submit - 1)
      yield* world.seconds(78)
      assert.strictEqual(yield* submits, 1)
      yield* world.seconds(85)
      assert.strictEqual(yield* submits, 2)
      yield* world.seconds(60)
      for (const id of ids) yield* world.success(id)
      assert.deepStrictEqual(yield* world.counts, empty)
    })
  )
})
