/** What the fleet allows itself at fal: requests in flight, submits a minute, and none while fal takes nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { empty, makeWorld, makeWorldWith } from "../world.ts"

const running = { outcome: "running" } as const
const atOnce = Effect.fnUntraced(function* (world: Effect.Success<typeof makeWorld>, seconds: number) {
  let most = 0
  for (let n = 0; n < seconds * 4; n++) {
    yield* world.seconds(0.25)
    most = Math.max(most, (yield* world.ledger).filter(({ outcome }) => outcome === running.outcome).length)
  }
  return most
})

describe("FAL_MAX_CONCURRENT", () => {
  it.effect("limits the requests of all workers together; who waits is not retried, and all end well", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith({ env: { FAL_MAX_CONCURRENT: "2" } })
      yield* world.start({ env: { WORKER_CONCURRENCY: "3" } })
      yield* world.start({ env: { WORKER_CONCURRENCY: "3" } })
      const ids = []
      for (let n = 0; n < 12; n++) ids.push(yield* world.send())
      assert.strictEqual(yield* atOnce(world, 60), 2)
      for (const id of ids) yield* world.success(id)
      assert.deepStrictEqual(yield* world.counts, empty)
      assert.strictEqual((yield* world.ledger).length, 12)
      assert.isUndefined(yield* world.metric('task_retries_total{task="generate_model",reason="no room at fal"}'))
      assert.strictEqual(yield* world.journal.inFlight, 0)
    })
  )

  it.effect("a task that waits for long meets neither its soft limit nor the end of its retries", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith({
        env: { FAL_MAX_CONCURRENT: "1", TASK_SOFT_TIME_LIMIT: "1000", TASK_TIME_LIMIT: "1500" }
      })
      yield* world.script.jobs({ ends: "picture", after: 600_000 })
      yield* world.start({ env: { TASK_MAX_RETRIES: "0" } })
      yield* world.start({ env: { TASK_MAX_RETRIES: "0" } })
      const long = yield* world.send()
      const [waits, health] = [
        yield* world.send({ limits: { soft: 30, hard: 60 } }),
        yield* world.send({ task: "health_check", kwargs: {} })
      ]
      yield* world.seconds(30)
      yield* world.success(health) // the slot is not kept
      yield* world.seconds(500)
      assert.isUndefined(yield* world.result(waits))
      assert.strictEqual((yield* world.ledger).length, 1)
      yield* world.seconds(120)
      yield* world.success(long)
      yield* world.success(waits)
      assert.isAbove((yield* world.metric('tasks_held_total{task="generate_model",reason="no room at fal"}')) ?? 0, 10)
      assert.strictEqual(yield* world.metric('queue_wait_seconds_count{task="generate_model"}'), 2, "each counts once")
    })
  )

  it.effect("a request whose worker died counts until it is re-attached, which needs no second place", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith({ env: { FAL_MAX_CONCURRENT: "1" } })
      yield* world.script.jobs({ ends: "picture", after: 120_000 })
      const first = yield* world.start()
      const orphan = yield* world.send()
      yield* world.seconds(5)
      yield* first.kill
      yield* world.start()
      const next = yield* world.send()
      yield* world.seconds(90)
      assert.strictEqual((yield* world.ledger).length, 1, "the orphan has the only place")
      assert.strictEqual(yield* world.journal.inFlight, 1)
      assert.strictEqual(yield* world.metric("generations_reattached_total"), 1)
      yield* world.seconds(60)
      yield* world.success(orphan)
      yield* world.success(next)
      assert.strictEqual((yield* world.ledger).length, 2)
    })
  )

  it.effect("a request whose worker died counts for as long as its own task may run, and five minutes more", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      yield* world.script.submits("accepted", "lost")
      const first = yield* world.start({ env: { WORKER_CONCURRENCY: "3" } })
      yield* world.send({ limits: { soft: null, hard: 1000 } })
      yield* world.send({ limits: { soft: null, hard: 2000 } })
      yield* world.send()
      yield* world.seconds(0.5)
      yield* first.kill
      const counted = []
      for (const until of [590, 610, 1290, 1310, 2290, 2310]) {
        yield* world.seconds(until - (counted.length === 0 ? 0 : counted.at(-1)![0]))
        counted.push([until, yield* world.journal.inFlight] as const)
      }
      assert.deepStrictEqual(
        counted.map(([, inFlight]) => inFlight),
        [3, 2, 2, 1, 1, 0]
      )
    })
  )

  const ends = [
    ["refused by fal", { ends: "refused", after: 1000, type: "no" }],
    ["flagged", { ends: "flagged", after: 1000 }],
    ["cancelled at its soft limit", { ends: "never" }]
  ] as const
  for (const [how, job] of ends) {
    it.effect(`one that is ${how} makes room at once`, () =>
      Effect.gen(function* () {
        const world = yield* makeWorldWith({ env: { FAL_MAX_CONCURRENT: "1" } })
        yield* world.script.jobs(job)
        yield* world.start({ env: { TASK_SOFT_TIME_LIMIT: "20" } })
        const [bad, good] = [yield* world.send(), yield* world.send()]
        yield* world.seconds(40)
        yield* world.failure(bad)
        yield* world.success(good)
        assert.strictEqual(yield* world.journal.inFlight, 0)
      })
    )
  }
})

describe("FAL_RATE_LIMIT", () => {
  it.effect("so many submits a minute over all workers, and no more; the rest wait without being retried", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith({ env: { FAL_RATE_LIMIT: "4" } })
      yield* world.start({ env: { TASK_MAX_RETRIES: "0" } })
      yield* world.start({ env: { TASK_MAX_RETRIES: "0" } })
      const ids = []
      for (let n = 0; n < 10; n++) ids.push(yield* world.send())
      yield* world.seconds(55)
      assert.strictEqual((yield* world.ledger).length, 4)
      yield* world.seconds(60)
      assert.strictEqual((yield* world.ledger).length, 8)
      yield* world.seconds(90)
      for (const id of ids) yield* world.success(id)
      assert.deepStrictEqual(yield* world.counts, empty)
    })
  )
})

describe("while fal takes nothing", () => {
  it.effect("submits stop after five; a free question a minute finds out, no task uses up its retries", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      yield* world.script.submits(...Array.from({ length: 8 }, () => "away" as const))
      yield* world.start({ env: { WORKER_CONCURRENCY: "2" } })
      const ids = []
      for (let n = 0; n < 6; n++) ids.push(yield* world.send())
      yield* world.seconds(2)
      // Five until it opened, and one that the other slot had on its way.
      const sent = (yield* world.script.calls).submit
      assert.include([5, 6], sent)
      yield* world.seconds(3)
      assert.strictEqual((yield* world.script.calls).submit, sent)
      yield* world.seconds(300)
      for (const id of ids) yield* world.success(id)
      assert.strictEqual((yield* world.ledger).length, 6)
      // Eight that did not get there, and six that were taken.
      assert.strictEqual((yield* world.script.calls).submit, 14)
      assert.strictEqual((yield* world.script.calls).probe, 8 - sent + 1)
    })
  )

  it.effect("an outage of an hour fails no task, though each may be retried only twice", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      yield* world.script.submits(...Array.from({ length: 60 }, () => "away" as const))
      yield* world.start({ env: { WORKER_CONCURRENCY: "5", TASK_MAX_RETRIES: "2" } })
      const ids = []
      for (let n = 0; n < 5; n++) ids.push(yield* world.send())
      yield* world.seconds(1800)
      assert.isAtMost((yield* world.script.calls).submit, 5 + 35)
      yield* world.seconds(5400)
      for (const id of ids) yield* world.success(id)
      assert.deepStrictEqual(yield* world.counts, empty)
    })
  )
})

describe("FAL_UNCERTAIN=fail", () => {
  it.effect("a submit whose answer was lost is a FAILURE after its grace: never a second, and no room is kept", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith({ env: { FAL_UNCERTAIN: "fail", FAL_MAX_CONCURRENT: "1" } })
      yield* world.script.submits("lost")
      yield* world.start()
      const id = yield* world.send()
      yield* world.seconds(59)
      assert.strictEqual((yield* world.result(id))!.status, "RETRY")
      yield* world.seconds(10)
      assert.match((yield* world.failure(id)).message, /lost once: not asked again/)
      assert.strictEqual((yield* world.ledger).length, 1)
      assert.strictEqual(yield* world.metric("generations_uncertain_total"), 1)
      assert.strictEqual(yield* world.metric('generations_uncertain_ended_total{how="failed"}'), 1)
      assert.strictEqual(yield* world.journal.inFlight, 0)
      assert.deepStrictEqual(yield* world.counts, empty)
    })
  )
})
