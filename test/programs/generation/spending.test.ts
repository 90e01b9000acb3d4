/** What the fleet may spend. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { times, usd } from "../../../src/services/NanoDollars.ts"
import { empty, makeWorldWith } from "../world.ts"

const picture = usd("0.025")
const submits = (world: { readonly ledger: Effect.Effect<ReadonlyArray<unknown>> }) =>
  Effect.map(world.ledger, ({ length }) => length)

const newYork = { BUDGET_DAY: "0.1", BUDGET_TIMEZONE: "America/New_York" }

describe("a task that finds no money", () => {
  it.effect("waits without failing, and goes on when the next day begins; not one picture more is bought before", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-11-01T03:59:00Z"))
      const world = yield* makeWorldWith({ env: newYork })
      yield* world.start({ env: { WORKER_CONCURRENCY: "3" } })
      yield* world.start({ env: { WORKER_CONCURRENCY: "2" } })
      const ids = []
      for (let n = 0; n < 7; n++) ids.push(yield* world.send())
      yield* world.seconds(50)
      assert.strictEqual(yield* submits(world), 4)
      assert.deepStrictEqual(yield* world.counts, { ...empty, scheduled: 3 })
      for (const id of ids.slice(4)) assert.isUndefined(yield* world.result(id), "nobody is told anything")
      yield* world.seconds(60)
      for (const id of ids) yield* world.success(id)
      assert.deepStrictEqual(yield* world.counts, empty)
      assert.strictEqual((yield* world.budget.status).reservations, 0)
    })
  )

  it.effect("waits for the whole of a day of 25 hours, in whose night the clocks go back", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-11-02T03:59:00Z"))
      const world = yield* makeWorldWith({ env: newYork })
      yield* world.start()
      for (let n = 0; n < 7; n++) yield* world.send()
      yield* world.seconds(120)
      assert.strictEqual(yield* submits(world), 4, "a day of 24 hours would be over since a minute")
    })
  )

  it.effect(
    "finds none for the forty-first of a day, whoever dies: a hundred tasks, three workers of eight slots, twenty deaths",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.parse("2026-11-01T03:55:30Z"))
        const world = yield* makeWorldWith({ env: { ...newYork, BUDGET_DAY: "1" } })
        const begin = (n: number) => world.start({ name: `celery@${n}`, env: { WORKER_CONCURRENCY: "8" } })
        const workers = [yield* begin(0), yield* begin(1), yield* begin(2)]
        for (let n = 0; n < 100; n++) yield* world.send()
        /** The deaths of one night, and then time for all that is owed. */
        const night = (deaths: number) =>
          Effect.gen(function* () {
            for (let n = 0; n < deaths; n++) {
              yield* world.seconds(0.7)
              yield* workers[n % 3]!.kill
              workers[n % 3] = yield* begin(n % 3)
            }
          })
        yield* night(10)
        yield* world.seconds(200)
        assert.strictEqual(yield* submits(world), 40)
        yield* world.seconds(60)
        yield* night(10)
        yield* world.seconds(200)
        assert.strictEqual(yield* submits(world), 80)
        const { reservations } = yield* world.budget.status
        assert.strictEqual(reservations, 0)
        const { scheduled } = yield* world.counts
        assert.strictEqual(scheduled, 20, "none has failed and none is lost")
      })
  )

  it.effect("holds up no task that costs nothing", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith({ env: { BUDGET_DAY: "0.02" } })
      yield* world.start()
      const waiting = yield* world.send()
      const check = yield* world.send({ task: "health_check", kwargs: {} })
      yield* world.seconds(5)
      yield* world.success(check)
      assert.isUndefined(yield* world.result(waiting))
      assert.strictEqual(yield* world.metric('tasks_held_total{task="generate_model",reason="budget"}'), 1)
    })
  )

  it.effect("goes on within half a minute after a person has raised the limit, without a restart", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith({ env: { BUDGET_MONTH: "0.03" } })
      yield* world.start()
      const [one, two] = [yield* world.send(), yield* world.send()]
      yield* world.seconds(20)
      yield* world.success(one)
      assert.isUndefined(yield* world.result(two))
      const { standings } = yield* world.budget.status
      yield* world.budget.override({ span: "month", subject: "all", limit: usd("1") }, standings[1]!.ends)
      yield* world.seconds(40)
      yield* world.success(two)
    })
  )
})

describe("what is used of a budget", () => {
  const used = (world: Effect.Success<ReturnType<typeof makeWorldWith>>) =>
    Effect.map(world.budget.status, ({ reservations, standings }) => [standings[0]!.used, reservations])

  it.effect("is what the pictures have cost, with the flagged ones, and nothing for what fal refused or broke off", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith({ env: { TASK_MAX_RETRIES: "0" } })
      yield* world.start()
      yield* world.script.jobs(
        { ends: "picture", after: 1000 },
        { ends: "flagged", after: 1000 },
        { ends: "failed", after: 1000, type: "internal_server_error" },
        { ends: "refused", after: 1000, type: "content_policy_violation" }
      )
      for (let n = 0; n < 4; n++) yield* world.send()
      yield* world.seconds(60)
      assert.deepStrictEqual(yield* used(world), [times(picture, 2), 0])
    })
  )

  it.effect("has a request whose answer was lost, and the one that was made in its place", () =>
    Effect.gen(function* () {
      const world = yield* makeWorldWith()
      yield* world.start()
      yield* world.script.submits("lost")
      const id = yield* world.send()
      yield* world.seconds(30)
      assert.deepStrictEqual(yield* used(world), [picture, 1])
      yield* world.seconds(60)
      yield* world.success(id)
      assert.deepStrictEqual(yield* used(world), [times(picture, 2), 0])
    })
  )
})
