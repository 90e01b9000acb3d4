import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option, Queue, Ref } from "effect"
import { TestClock } from "effect/testing"
import * as MetricsMemory from "../../../src/layers/memory/MetricsMemory.ts"
import * as Pool from "../../../src/programs/runtime/Pool.ts"
import { HardTimeLimit, SoftTimeLimit, withTimeLimits } from "../../../src/programs/runtime/TimeLimits.ts"
import { Metrics } from "../../../src/services/Metrics.ts"

const limits = { soft: Duration.seconds(240), hard: Duration.seconds(300), rescue: Effect.succeedNone }

describe("time limits", () => {
  it.effect("work that ends in time is not touched", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        withTimeLimits(Effect.as(Effect.sleep("239 seconds"), "done"), () => ({ ...limits, rescue: Effect.succeedNone }))
      )
      yield* TestClock.adjust("240 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
    })
  )

  it.effect("work is interrupted at the soft limit, to the second", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const work = Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
      const fiber = yield* Effect.forkChild(Effect.flip(withTimeLimits(work, () => limits)))
      yield* TestClock.adjust("239 seconds")
      assert.isFalse(yield* Deferred.isDone(interrupted))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), new SoftTimeLimit())
      assert.isTrue(yield* Deferred.isDone(interrupted))
    })
  )

  it.effect("what a rescue finds after the soft limit counts as done", () =>
    Effect.gen(function* () {
      const rescue = Effect.as(Effect.sleep("10 seconds"), Option.some("saved"))
      const fiber = yield* Effect.forkChild(withTimeLimits(Effect.never as Effect.Effect<string>, () => ({ ...limits, rescue })))
      yield* TestClock.adjust("250 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "saved")
    })
  )

  it.effect("work that ignores its soft limit is left at the hard limit", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(withTimeLimits(Effect.uninterruptible(Effect.never), () => limits)))
      yield* TestClock.adjust("299 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), new HardTimeLimit())
    })
  )

  it.effect("a hard limit below the soft one still holds", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Effect.flip(withTimeLimits(Effect.never, () => ({ ...limits, hard: Duration.seconds(5) })))
      )
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), new HardTimeLimit())
    })
  )
})

const running = Effect.fnUntraced(function* (options: Partial<Pool.Options> = {}) {
  const jobs = yield* Queue.unbounded<Pool.Job<never>>()
  const handedBack = yield* Ref.make<ReadonlyArray<string>>([])
  const hurry = yield* Deferred.make<void>()
  const pool = Pool.pool(jobs, { size: 1, quota: 50, grace: Duration.seconds(110), hurry, ...options })
  const fiber = yield* Effect.forkChild(pool.run)
  const job = (name: string, run: Effect.Effect<"reusable" | "spent">): Pool.Job<never> => ({
    name,
    run,
    handBack: ({ crashed }) => Ref.update(handedBack, (all) => [...all, `${name}${crashed ? " crashed" : ""}`])
  })
  const exposed = Effect.flatMap(Metrics, (metrics) => Effect.map(metrics.expose, ({ body }) => body))
  return { jobs, handedBack, hurry, fiber, job, exposed, node: pool.node }
})
const done = Effect.succeed("reusable" as const)

describe("the pool", () => {
  it.effect("a child retires after 50 jobs and its successor takes the 51st without a gap", () =>
    Effect.gen(function* () {
      const { exposed, fiber, job, jobs } = yield* running()
      const last = yield* Deferred.make<void>()
      for (let n = 0; n < 50; n++) yield* Queue.offer(jobs, job(`${n}`, done))
      yield* Queue.offer(jobs, job("51", Effect.andThen(Deferred.succeed(last, undefined), done)))
      yield* Deferred.await(last) // no time passes
      assert.include(yield* exposed, `children_retired_total{reason="quota"} 1`)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("one job at a time runs in one slot", () =>
    Effect.gen(function* () {
      const { fiber, job, jobs } = yield* running()
      const now = yield* Ref.make(0)
      const most = yield* Ref.make(0)
      const busy = Effect.gen(function* () {
        const count = yield* Ref.updateAndGet(now, (n) => n + 1)
        yield* Ref.update(most, (n) => Math.max(n, count))
        yield* Effect.sleep("1 second")
        yield* Ref.update(now, (n) => n - 1)
        return "reusable" as const
      })
      for (let n = 0; n < 5; n++) yield* Queue.offer(jobs, job(`${n}`, busy))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Ref.get(most), 1)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("a child whose job was left behind at the hard limit retires at once", () =>
    Effect.gen(function* () {
      const { exposed, fiber, job, jobs } = yield* running()
      const next = yield* Deferred.make<void>()
      yield* Queue.offer(jobs, job("stuck", Effect.succeed("spent")))
      yield* Queue.offer(jobs, job("next", Effect.andThen(Deferred.succeed(next, undefined), done)))
      yield* Deferred.await(next)
      assert.include(yield* exposed, `children_retired_total{reason="spent"} 1`)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("a job that crashes its child is handed back as crashed, and the child starts again", () =>
    Effect.gen(function* () {
      const { fiber, handedBack, job, jobs, node } = yield* running()
      const next = yield* Deferred.make<void>()
      yield* Queue.offer(jobs, job("bug", Effect.die("bug")))
      yield* Queue.offer(jobs, job("next", Effect.andThen(Deferred.succeed(next, undefined), done)))
      yield* TestClock.adjust("1 second")
      yield* Deferred.await(next)
      assert.deepStrictEqual(yield* Ref.get(handedBack), ["bug crashed"])
      assert.strictEqual(node.children[0]!.restarts, 1)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("a job that crashes again and again ends the pool", () =>
    Effect.gen(function* () {
      const { fiber, job, jobs } = yield* running()
      for (let n = 0; n < 7; n++) yield* Queue.offer(jobs, job("bug", Effect.die("bug")))
      yield* TestClock.adjust("5 seconds")
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && exit.cause.toString().includes("crashed too often"))
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("a stop lets a running job finish within the grace", () =>
    Effect.gen(function* () {
      const { fiber, handedBack, job, jobs } = yield* running()
      const ended = yield* Ref.make(false)
      yield* Queue.offer(
        jobs,
        job("picture", Effect.sleep("100 seconds").pipe(Effect.andThen(Ref.set(ended, true)), Effect.andThen(done)))
      )
      yield* TestClock.adjust("1 second")
      const stop = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("100 seconds")
      yield* Fiber.join(stop)
      assert.isTrue(yield* Ref.get(ended))
      assert.deepStrictEqual(yield* Ref.get(handedBack), [])
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("a job that takes longer than the grace is interrupted and handed back", () =>
    Effect.gen(function* () {
      const { fiber, handedBack, job, jobs } = yield* running()
      yield* Queue.offer(jobs, job("picture", Effect.never))
      yield* TestClock.adjust("1 second")
      const stop = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("109 seconds")
      assert.deepStrictEqual(yield* Ref.get(handedBack), [])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stop)
      assert.deepStrictEqual(yield* Ref.get(handedBack), ["picture"])
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("what comes with the end of a job is done next, by the same child, and counts for its quota", () =>
    Effect.gen(function* () {
      const { exposed, fiber, job, jobs } = yield* running({ quota: 2 })
      const order: Array<string> = []
      const does = (name: string) =>
        Effect.as(
          Effect.sync(() => void order.push(name)),
          "reusable" as const
        )
      const last = yield* Deferred.make<void>()
      const third = job(
        "third",
        Effect.tap(does("third"), () => Deferred.succeed(last, undefined))
      )
      const second = { ...job("second", does("second")), next: () => third }
      yield* Queue.offer(jobs, { ...job("first", does("first")), next: () => second })
      yield* Deferred.await(last)
      assert.deepStrictEqual(order, ["first", "second", "third"])
      assert.include(yield* exposed, `children_retired_total{reason="quota"} 1`)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("what comes with the end of a job while the pool stops is handed back", () =>
    Effect.gen(function* () {
      const { fiber, handedBack, job, jobs } = yield* running()
      const next = job("next", Effect.die("it must not run"))
      yield* Queue.offer(jobs, { ...job("picture", Effect.andThen(Effect.sleep("10 seconds"), done)), next: () => next })
      yield* TestClock.adjust("1 second")
      const stop = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("9 seconds")
      yield* Fiber.join(stop)
      assert.deepStrictEqual(yield* Ref.get(handedBack), ["next"])
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("a stop in a hurry hands back at once", () =>
    Effect.gen(function* () {
      const { fiber, handedBack, hurry, job, jobs } = yield* running()
      yield* Queue.offer(jobs, job("picture", Effect.never))
      yield* TestClock.adjust("1 second")
      const stop = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* Effect.yieldNow
      yield* Deferred.succeed(hurry, undefined)
      yield* Fiber.join(stop) // no time passes
      assert.deepStrictEqual(yield* Ref.get(handedBack), ["picture"])
    }).pipe(Effect.provide(MetricsMemory.layer))
  )
})
