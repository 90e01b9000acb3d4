/** The step that ends a task stores its result too: with one server in that same step, with two in a step before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { Redis } from "ioredis"
import * as ResultStoreMemory from "../../src/layers/memory/ResultStoreMemory.ts"
import * as ResultStoreRedis from "../../src/layers/redis/ResultStoreRedis.ts"
import * as TaskQueueMemory from "../../src/layers/memory/TaskQueueMemory.ts"
import * as TaskQueueRedis from "../../src/layers/redis/TaskQueueRedis.ts"
import { ResultStore, type TaskResult } from "../../src/services/ResultStore.ts"
import { everyRole } from "../roles.ts"
import { describeWith, freshRedis, ownRedis } from "../servers/index.ts"
import { identity, message, settings } from "../support.ts"

const told = (status: string, id = "t"): TaskResult => ({
  task_id: id,
  status,
  result: { said: status },
  traceback: null,
  children: [],
  date_done: null
})

type World = Layer.Layer<ResultStore | Layer.Success<typeof TaskQueueRedis.layer>, unknown>

const contract = (world: Effect.Effect<World, never, import("effect").Scope.Scope>) => {
  const within = <A, E>(test: Effect.Effect<A, E, Layer.Success<World>>) =>
    Effect.flatMap(world, (layer) => Effect.provide(test, Layer.fresh(layer)))
  const claimed = Effect.gen(function* () {
    const queue = yield* everyRole
    yield* queue.publish([message({ id: "t" }), message({ id: "next" })])
    return { queue, results: yield* ResultStore, delivery: Option.getOrThrow(yield* queue.claim) }
  })

  it.live("a result is stored when its message is given up, and the next one claimed", () =>
    within(
      Effect.gen(function* () {
        const { delivery, queue, results } = yield* claimed
        const next = yield* queue.acknowledge(delivery, { result: told("SUCCESS"), next: true })
        assert.include(Option.getOrThrow(next).raw, '"next"')
        assert.deepStrictEqual(Option.getOrThrow(yield* results.get("t")), told("SUCCESS"))
        assert.strictEqual((yield* queue.status).unacknowledged, 1)
      })
    )
  )

  it.live("who waits for the result is woken", () =>
    within(
      Effect.gen(function* () {
        const { delivery, queue, results } = yield* claimed
        const waiting = yield* Effect.forkChild(results.awaitFinal("t"), { startImmediately: true })
        yield* results.store(told("STARTED")) // it wakes who has subscribed, and is not what is waited for
        yield* queue.acknowledge(delivery, { result: told("FAILURE") })
        const found = yield* Fiber.join(waiting)
        assert.strictEqual(found.status, "FAILURE")
      })
    )
  )

  it.live("a success that is there stays, and the message is given up all the same", () =>
    within(
      Effect.gen(function* () {
        const { delivery, queue, results } = yield* claimed
        yield* results.store(told("SUCCESS"))
        yield* queue.acknowledge(delivery, { result: told("FAILURE") })
        assert.strictEqual(Option.getOrThrow(yield* results.get("t")).status, "SUCCESS")
        assert.strictEqual((yield* queue.status).unacknowledged, 0)
      })
    )
  )

  it.live("a task may be acknowledged again, as where the first answer was lost", () =>
    within(
      Effect.gen(function* () {
        const { delivery, queue } = yield* claimed
        const next = yield* queue.acknowledge(delivery, { result: told("SUCCESS"), next: true })
        assert.isTrue(Option.isNone(yield* queue.acknowledge(delivery, { result: told("SUCCESS"), next: true })))
        yield* queue.acknowledge(Option.getOrThrow(next))
        assert.strictEqual((yield* queue.status).unacknowledged, 0)
      })
    )
  )
}

describe("in this process, with results beside the queue", () => {
  const results = Layer.fresh(ResultStoreMemory.layer)
  const beside = Layer.effect(TaskQueueMemory.ResultsBeside, ResultStore)
  contract(
    Effect.succeed(
      TaskQueueMemory.layer.pipe(
        Layer.provide(beside),
        Layer.provideMerge(results),
        Layer.provide([identity(), TaskQueueMemory.MemoryBroker.layer, settings({})])
      )
    )
  )
})

describe("in this process, with results elsewhere", () => {
  contract(
    Effect.succeed(
      TaskQueueMemory.layer.pipe(
        Layer.provideMerge(Layer.fresh(ResultStoreMemory.layer)),
        Layer.provide([identity(), TaskQueueMemory.MemoryBroker.layer, settings({})])
      )
    )
  )
})

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  type Urls = { readonly queue: string; readonly results: string }
  const urls = Effect.gen(function* () {
    return { queue: (yield* freshRedis(redis)).url, results: (yield* freshRedis(redis)).url }
  })
  /** Where what the server counts is of this test alone. */
  const alone = Effect.map(ownRedis, (server): Urls => ({ queue: server.url(0), results: server.url(1) }))
  const oneDatabase = Effect.map(urls, ({ queue }): Urls => ({ queue, results: queue }))
  /** Two names are taken for two servers. */
  const twoNames = Effect.map(urls, ({ queue, results }): Urls => ({ queue, results: results.replace("127.0.0.1", "localhost") }))
  const layerOf = ({ queue, results }: Urls, env: Readonly<Record<string, string>> = {}) =>
    TaskQueueRedis.layer.pipe(
      Layer.provideMerge(ResultStoreRedis.layer),
      Layer.provide([identity(), settings({ CELERY_BROKER_URL: queue, CELERY_RESULT_BACKEND: results, ...env })])
    )
  const client = (url: string) =>
    Effect.acquireRelease(
      Effect.sync(() => new Redis(url)),
      (one) => Effect.sync(() => one.disconnect())
    )

  describe("that keeps queue and results in one database", () => contract(Effect.map(oneDatabase, (at) => layerOf(at))))
  describe("that keeps results in another database", () => contract(Effect.map(urls, (at) => layerOf(at))))
  describe("that is known by two names", () => contract(Effect.map(twoNames, (at) => layerOf(at))))
  describe("that others share, so that keys have a prefix", () =>
    contract(Effect.map(urls, (at) => layerOf(at, { BROKER_GLOBAL_KEYPREFIX: "queue:", RESULT_GLOBAL_KEYPREFIX: "results:" }))))

  for (const [where, backend] of [
    ["another database", urls],
    ["another server", twoNames]
  ] as const)
    it.live(`a result that is refused in ${where} leaves its message where it is`, () =>
      Effect.gen(function* () {
        const at = yield* backend
        const results = yield* client(at.results)
        yield* Effect.promise(() => results.lpush("celery-task-meta-t", "no document"))
        yield* Effect.gen(function* () {
          const queue = yield* everyRole
          yield* queue.publish([message({ id: "t" }), message({ id: "next" })])
          const delivery = Option.getOrThrow(yield* queue.claim)
          const error = yield* Effect.flip(queue.acknowledge(delivery, { result: told("SUCCESS"), next: true }))
          assert.strictEqual(error._tag, "ResultStoreError")
          assert.include(String(error.cause), "WRONGTYPE")
          const { queues, unacknowledged } = yield* queue.status
          assert.strictEqual(unacknowledged, 1)
          assert.strictEqual(queues[0]?.ready[0], 1)
        }).pipe(Effect.provide(layerOf(at)))
      })
    )

  it.live("tasks that end together are ended with one write, not one for each", () =>
    Effect.gen(function* () {
      const at = yield* alone
      const admin = yield* client(at.queue)
      const reads = Effect.promise(async () => Number(/total_reads_processed:(\d+)/.exec(await admin.info("stats"))?.[1]))
      yield* Effect.gen(function* () {
        const queue = yield* everyRole
        yield* queue.publish(Array.from({ length: 20 }, (_, n) => message({ id: `t${n}` })))
        const claims = Effect.map(queue.claim, Option.getOrThrow)
        const held = yield* Effect.all(Array.from({ length: 20 }, () => claims))
        yield* queue.acknowledge(held[0]!, { result: told("SUCCESS", "t0") }) // the server has met the script
        const before = yield* reads
        yield* Effect.forEach(held.slice(1), (one, n) => queue.acknowledge(one, { result: told("SUCCESS", `t${n + 1}`) }), {
          concurrency: "unbounded"
        })
        assert.isBelow((yield* reads) - before, 10) // ours is one or two; the pulse and this question are others
        assert.strictEqual((yield* queue.status).unacknowledged, 0)
      }).pipe(Effect.provide(layerOf(at)))
    })
  )

  it.live("one command ends a task, stores its result and takes the next", () =>
    Effect.gen(function* () {
      const at = yield* alone
      const admin = yield* client(at.queue)
      const evaluated = Effect.promise(async () =>
        Number(/cmdstat_evalsha:calls=(\d+)/.exec(await admin.info("commandstats"))?.[1] ?? 0)
      )
      yield* Effect.gen(function* () {
        const queue = yield* everyRole
        yield* queue.publish(Array.from({ length: 12 }, (_, n) => message({ id: `t${n}` })))
        let delivery = Option.getOrThrow(yield* queue.claim)
        const step = (n: number) =>
          Effect.map(queue.acknowledge(delivery, { result: told("SUCCESS", `t${n}`), next: true }), (next) => {
            delivery = Option.getOrThrow(next)
          })
        yield* step(0) // the server has met the script
        const before = yield* evaluated
        for (let n = 1; n <= 10; n++) yield* step(n)
        assert.strictEqual((yield* evaluated) - before, 10)
      }).pipe(Effect.provide(layerOf(at)))
    })
  )
})
