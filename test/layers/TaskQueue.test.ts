import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Redis } from "ioredis"
import * as TaskQueueMemory from "../../src/layers/memory/TaskQueueMemory.ts"
import { QueueError } from "../../src/services/QueueError.ts"
import { taskQueueContract } from "../contracts/taskQueue.ts"
import { describeWith, freshRedis } from "../servers/index.ts"
import { everyRole } from "../roles.ts"
import { inMemory, onRedis } from "./queues.ts"
import { identity, message, settings } from "../support.ts"

/** As with a network between, answers come later. */
const later = Layer.succeed(TaskQueueMemory.MemoryWire, { send: (_, run) => Effect.tap(run, () => Effect.yieldNow) })

taskQueueContract(
  "the task queue in this process",
  Effect.map(Layer.build(TaskQueueMemory.MemoryBroker.layer), (broker) => ({
    worker: (name, overrides) =>
      inMemory.pipe(
        Layer.provideMerge(identity(name, overrides)),
        Layer.provide([Layer.succeedContext(broker), later]),
        Layer.provide(settings({})),
        Layer.orDie
      )
  }))
)

it.effect("a hand-back that failed in this process too is made by a later pass, with its crash counted", () =>
  Effect.gen(function* () {
    let away = false
    const wire = Layer.succeed(TaskQueueMemory.MemoryWire, {
      send: (operation, run) => (away ? Effect.fail(new QueueError({ operation, cause: "away" })) : run)
    })
    const queue = yield* Effect.provideContext(
      everyRole,
      yield* Layer.build(
        inMemory.pipe(Layer.provide([identity(), TaskQueueMemory.MemoryBroker.layer, wire, settings({})]), Layer.orDie)
      )
    )
    yield* queue.publish([message()])
    const held = Option.getOrThrow(yield* queue.claim)
    away = true
    yield* Effect.flip(queue.handBack(held, { crashed: true }))
    yield* Effect.flip(queue.release)
    away = false
    assert.deepInclude(yield* queue.release, { lost: 1 })
    const again = Option.getOrThrow(yield* queue.claim)
    assert.include(again.raw, '"crashes":1')
    assert.isTrue(again.suspect)
  })
)

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  taskQueueContract(
    "the task queue on Redis",
    Effect.map(freshRedis(redis), ({ url }) => ({
      worker: (name, overrides) =>
        onRedis.pipe(
          Layer.provideMerge(identity(name, overrides)),
          Layer.provide(settings({ CELERY_BROKER_URL: url })),
          Layer.orDie
        )
    }))
  )
})

describeWith(["redis"], "a message that came by an exchange", ({ redis }) => {
  it.live("goes back to the queue its exchange is bound to, not to one named like its routing key", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = new Redis(url)
      const queueOf = (name: string) =>
        onRedis.pipe(
          Layer.provideMerge(identity(name)),
          Layer.provide(settings({ CELERY_BROKER_URL: url, WORKER_QUEUES: "media" })),
          Layer.orDie
        )
      const sent = JSON.parse(message({ queue: "media" }).raw) as { properties: Record<string, unknown> } // written by us
      const byExchange = { ...sent, properties: { ...sent.properties, delivery_info: { exchange: "ex", routing_key: "rk" } } }
      yield* Effect.promise(async () => {
        await raw.sadd("_kombu.binding.ex", "rk\u0006\u0016\u0006\u0016media")
        await raw.lpush("media", JSON.stringify(byExchange))
      })
      // Claimed by a worker that never had a lease, so it counts as dead.
      yield* Effect.flatMap(everyRole, (queue) => queue.claim).pipe(Effect.provide(queueOf("celery@dead")))
      yield* Effect.flatMap(everyRole, (queue) => queue.release).pipe(Effect.provide(queueOf("celery@heir")))
      assert.deepStrictEqual(yield* Effect.promise(() => Promise.all([raw.llen("media"), raw.llen("rk")])), [1, 0])
      raw.disconnect()
    })
  )
})

describeWith(["redis"], "a queue that is only sent to", ({ redis }) => {
  it.live("is declared as kombu declares it, by either way of sending", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = new Redis(url)
      const layer = onRedis.pipe(
        Layer.provideMerge(identity("celery@one")),
        Layer.provide(settings({ CELERY_BROKER_URL: url })),
        Layer.orDie
      )
      yield* Effect.flatMap(everyRole, (queue) =>
        Effect.andThen(
          queue.publish([message({ queue: "first" })]),
          queue.publishOnce({ key: "key", digest: "d" }, "", [
            message({ queue: "second" }),
            message({ queue: "third", priority: 9 })
          ])
        )
      ).pipe(Effect.provide(layer))
      for (const queue of ["first", "second", "third"]) {
        const members = yield* Effect.promise(() => raw.smembers(`_kombu.binding.${queue}`))
        assert.deepStrictEqual(members, [`${queue}\u0006\u0016\u0006\u0016${queue}`])
      }
      assert.strictEqual(yield* Effect.promise(() => raw.llen("third\u0006\u00169")), 1)
      raw.disconnect()
    })
  )
  it.live("what was done once is kept for a week without a time to live, and what an older worker did counts too", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(url)),
        (raw) => Effect.sync(() => raw.disconnect())
      )
      const ask = <A>(run: (raw: Redis) => Promise<A>) => Effect.promise(() => run(raw))
      const layer = onRedis.pipe(
        Layer.provideMerge(identity("celery@one")),
        Layer.provide(settings({ CELERY_BROKER_URL: url })),
        Layer.orDie
      )
      const queue = yield* Effect.provideContext(everyRole, yield* Layer.build(layer))
      const digest = "d"
      yield* ask((raw) => raw.setex("model-generator.once:old", 1000, "its note"))
      assert.strictEqual(yield* queue.publishOnce({ key: "old", digest }, "another note", [message()]), "its note")
      yield* queue.publishOnce({ key: "new", digest }, "", [message()])
      assert.strictEqual(yield* ask((raw) => raw.llen("generator_queue")), 1)
      assert.strictEqual(yield* ask((raw) => raw.ttl("model-generator.once:new:d")), -1)
      const until = Number(yield* ask((raw) => raw.zscore("model-generator.once-kept", "new:d")))
      assert.closeTo(until - Date.now() / 1000, 7 * 86_400, 5)
      yield* ask((raw) => raw.zadd("model-generator.once-kept", 1, "new:d"))
      yield* queue.publishOnce({ key: "next", digest }, "", [message()])
      assert.deepStrictEqual(yield* ask((raw) => raw.exists("model-generator.once:new:d")), 0)
      assert.deepStrictEqual(yield* ask((raw) => raw.zrange("model-generator.once-kept", "0", "-1")), ["next:d"])
    })
  )
})
