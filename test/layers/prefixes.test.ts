import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { Redis } from "ioredis"
import * as FleetRedis from "../../src/layers/redis/FleetRedis.ts"
import * as JournalRedis from "../../src/layers/redis/JournalRedis.ts"
import * as ResultStoreRedis from "../../src/layers/redis/ResultStoreRedis.ts"
import { Journal } from "../../src/services/Journal.ts"
import { ResultStore } from "../../src/services/ResultStore.ts"
import { fleetContract } from "../contracts/fleet.ts"
import { intended, journalContract } from "../contracts/journal.ts"
import { aResult, resultStoreContract } from "../contracts/resultStore.ts"
import { taskQueueContract } from "../contracts/taskQueue.ts"
import { describeWith, freshRedis } from "../servers/index.ts"
import { everyRole } from "../roles.ts"
import { identity, message, settings } from "../support.ts"
import { onRedis } from "./queues.ts"

const prefixed = (url: string, prefix: string, more: Readonly<Record<string, string>> = {}) =>
  settings({
    CELERY_BROKER_URL: url,
    CELERY_RESULT_BACKEND: url,
    BROKER_GLOBAL_KEYPREFIX: prefix,
    RESULT_GLOBAL_KEYPREFIX: prefix,
    ...more
  })

describeWith(["redis"], "under a prefix", ({ redis }) => {
  const on = freshRedis(redis)
  taskQueueContract(
    "the task queue",
    Effect.map(on, ({ url }) => ({
      worker: (name, overrides) =>
        onRedis.pipe(Layer.provideMerge(identity(name, overrides)), Layer.provide(prefixed(url, "app:")), Layer.orDie)
    }))
  )
  for (const patterns of ["true", "false"])
    fleetContract(
      `the fleet, with fanout_patterns ${patterns}`,
      Effect.map(on, ({ url }) => ({
        voice: (name) =>
          Layer.fresh(FleetRedis.layer).pipe(
            Layer.provide(identity(name)),
            Layer.provide(prefixed(url, "app:", { BROKER_FANOUT_PREFIX: "false", BROKER_FANOUT_PATTERNS: patterns })),
            Layer.orDie
          )
      }))
    )
  resultStoreContract(
    "the result store",
    Layer.unwrap(
      Effect.map(on, ({ url }) => Layer.fresh(ResultStoreRedis.layer).pipe(Layer.provide(prefixed(url, "app")), Layer.orDie))
    )
  )
  journalContract("the journal", (env) =>
    Effect.gen(function* () {
      const { url } = yield* on
      const layer = Layer.fresh(JournalRedis.layer).pipe(Layer.provide([identity(), prefixed(url, "app:", env)]), Layer.orDie)
      const [one, two] = yield* Effect.all([Layer.build(layer), Layer.build(layer)])
      return [Context.get(one, Journal), Context.get(two, Journal)]
    })
  )

  it.live("two on one database do not see each other, and every key says whose it is", () =>
    Effect.gen(function* () {
      const { url } = yield* on
      const tenant = (prefix: string) =>
        Layer.mergeAll(
          onRedis.pipe(Layer.provide(identity(`celery@${prefix}`))),
          Layer.fresh(ResultStoreRedis.layer),
          Layer.fresh(JournalRedis.layer).pipe(Layer.provide(identity()))
        ).pipe(Layer.provide(prefixed(url, prefix)), Layer.orDie)
      const first = yield* Layer.build(tenant("one"))
      const second = yield* Layer.build(tenant("two:"))
      yield* Effect.gen(function* () {
        const [queue, results, journal] = [yield* everyRole, yield* ResultStore, yield* Journal]
        yield* queue.publish([message({ id: "held" }), message({ id: "waiting" }), message({ id: "dead" })])
        const held = Option.getOrThrow(yield* queue.claim)
        yield* queue.hold(Option.getOrThrow(yield* queue.claim), 4_000_000_000_000)
        yield* queue.bury(Option.getOrThrow(yield* queue.claim), { reason: "r", error: "e" })
        yield* queue.publishOnce({ key: "key", digest: "d" }, "note", [message({ id: "once", priority: 9 })])
        yield* results.store(aResult({ task_id: "same" }))
        yield* results.saveGroup("g", ["same"])
        yield* results.setChordSize("g", 2)
        yield* results.addChordPart("g", 0, { taskId: "same", status: "SUCCESS", result: 1 })
        yield* journal.advance("same", intended)
        assert.strictEqual(held.queue, "generator_queue")
      }).pipe(Effect.provideContext(first))
      yield* Effect.gen(function* () {
        const [queue, results, journal] = [yield* everyRole, yield* ResultStore, yield* Journal]
        assert.isTrue(Option.isNone(yield* queue.claim))
        assert.isTrue(Option.isNone(yield* results.get("same")))
        assert.isTrue(Option.isNone(yield* results.loadGroup("g")))
        assert.isTrue(Option.isNone((yield* journal.find("same")).entry))
        const { queues, scheduled, unacknowledged } = yield* queue.status
        assert.deepStrictEqual(
          [queues[0]!.ready, queues[0]!.dead, scheduled, unacknowledged],
          [{ "0": 0, "3": 0, "6": 0, "9": 0 }, 0, 0, 0]
        )
        yield* queue.publish([message({ id: "other" })])
      }).pipe(Effect.provideContext(second))
      const raw = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(url)),
        (client) => Effect.sync(() => client.disconnect())
      )
      const keys = yield* Effect.promise(() => raw.keys("*"))
      assert.deepStrictEqual(
        keys.filter((key) => !key.startsWith("one") && !key.startsWith("two:")),
        []
      )
      assert.includeMembers(keys, [
        "oneunacked",
        "one_celery-task-meta-same",
        "one_celery-taskset-meta-g.j",
        "two:generator_queue"
      ])
    })
  )
})
