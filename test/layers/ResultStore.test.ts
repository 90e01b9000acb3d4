import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option } from "effect"
import { Redis } from "ioredis"
import * as ResultStoreMemory from "../../src/layers/memory/ResultStoreMemory.ts"
import * as ResultStoreRedis from "../../src/layers/redis/ResultStoreRedis.ts"
import { ResultStore } from "../../src/services/ResultStore.ts"
import { aResult, resultStoreContract } from "../contracts/resultStore.ts"
import { describeWith, freshRedis, ownRedis } from "../servers/index.ts"
import { eventually, settings, uniqueId } from "../support.ts"

resultStoreContract("the result store in this process", Layer.fresh(ResultStoreMemory.layer))

const at = (url: string, more: Readonly<Record<string, string>> = {}) =>
  Layer.fresh(ResultStoreRedis.layer).pipe(Layer.provide(settings({ CELERY_RESULT_BACKEND: url, ...more })), Layer.orDie)
const client = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (redis) => Effect.sync(() => redis.disconnect())
  )

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  resultStoreContract("the result store on Redis", Layer.unwrap(Effect.map(freshRedis(redis), ({ url }) => at(url))))

  it.live("a result is kept for its day and published where a Python client listens", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const [raw, listening] = [yield* client(url), yield* client(url)]
      const stored = aResult()
      const key = `celery-task-meta-${stored.task_id}`
      const heard = yield* Deferred.make<string>()
      listening.on("message", (_channel: string, text: string) => Deferred.doneUnsafe(heard, Effect.succeed(text)))
      yield* Effect.promise(() => listening.subscribe(key))
      yield* Effect.flatMap(ResultStore, ({ store }) => store(stored)).pipe(Effect.provide(at(url)))
      assert.deepStrictEqual(JSON.parse((yield* Effect.promise(() => raw.get(key)))!), stored)
      assert.strictEqual(yield* Deferred.await(heard), yield* Effect.promise(() => raw.get(key)))
      assert.closeTo(yield* Effect.promise(() => raw.ttl(key)), 86_400, 5)
    })
  )

  for (const [parts, ordered, before] of [
    ["a list", "false", []],
    ["what a worker with another order has begun", "true", ['[1, "a", "SUCCESS", "first"]']]
  ] as const) {
    it.live(`the parts of a chord without an order are ${parts}, each counted once`, () =>
      Effect.gen(function* () {
        const { url } = yield* freshRedis(redis)
        const raw = yield* client(url)
        yield* Effect.promise(async () => {
          for (const one of before) await raw.rpush("celery-taskset-meta-g.j", one)
        })
        const parts = yield* Effect.gen(function* () {
          const results = yield* ResultStore
          yield* results.setChordSize("g", 3)
          const add = (index: number, taskId: string, result: unknown, status = "SUCCESS") =>
            results.addChordPart("g", index, { taskId, status, result })
          if (before.length === 0) yield* add(2, "a", "first")
          assert.isTrue(Option.isNone(yield* add(1, "b", { exc_type: "X" }, "FAILURE")))
          assert.isTrue(Option.isNone(yield* add(1, "b", "again"))) // a success takes the place of a failure
          assert.isTrue(Option.isNone(yield* add(1, "b", "once more")))
          return yield* add(0, "c", "last")
        }).pipe(Effect.provide(at(url, { RESULT_CHORD_ORDERED: ordered })))
        assert.strictEqual(yield* Effect.promise(() => raw.type("celery-taskset-meta-g.j")), "list")
        assert.deepStrictEqual(
          Option.getOrThrow(parts).map(({ result }) => result),
          ["first", "again", "last"]
        )
      })
    )
  }

  it.live("a group is kept as Python's GroupResult.restore reads it", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = yield* client(url)
      yield* Effect.flatMap(ResultStore, ({ saveGroup }) => saveGroup("g", ["a", "b"])).pipe(
        Effect.provide(at(url, { RESULT_EXPIRES: "100" }))
      )
      const kept = yield* Effect.promise(() => raw.get("celery-taskset-meta-g"))
      assert.deepStrictEqual(JSON.parse(kept!), {
        result: [
          ["g", null],
          [
            [["a", null], null],
            [["b", null], null]
          ]
        ]
      })
      assert.closeTo(yield* Effect.promise(() => raw.ttl("celery-taskset-meta-g")), 100, 5)
    })
  )

  it.live("documents of other workers are read, and what is no document does not stand in the way of ours", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = yield* client(url)
      const { get, store } = yield* Effect.provideContext(ResultStore, yield* Layer.build(at(url)))
      yield* Effect.promise(() =>
        raw.set(
          "celery-task-meta-minimal",
          '{"status": "STARTED", "task_id": "minimal", "result": {"pid": 1}, "name": "extended"}'
        )
      )
      assert.deepInclude(Option.getOrThrow(yield* get("minimal")), { status: "STARTED", result: { pid: 1 }, children: [] })
      for (const garbage of ["", "not json", "[]", "3", '{"status": ["SUCCESS"]}', "[".repeat(5000)]) {
        const stored = aResult({ task_id: uniqueId() })
        yield* Effect.promise(() => raw.set(`celery-task-meta-${stored.task_id}`, garbage))
        assert.strictEqual((yield* Effect.flip(get(stored.task_id)))._tag, "ResultStoreError")
        yield* store(stored)
        assert.deepStrictEqual(yield* get(stored.task_id), Option.some(stored))
      }
    })
  )

  it.live("a success that nests deeper than the server's own JSON reader goes is not overwritten", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = yield* client(url)
      const { store } = yield* Effect.provideContext(ResultStore, yield* Layer.build(at(url)))
      const deep = `{"status": "SUCCESS", "result": ${"[".repeat(2000)}${"]".repeat(2000)}, "task_id": "deep"}`
      yield* Effect.promise(() => raw.set("celery-task-meta-deep", deep))
      yield* store(aResult({ task_id: "deep", status: "FAILURE" }))
      assert.strictEqual(yield* Effect.promise(() => raw.get("celery-task-meta-deep")), deep)
    })
  )

  it.live("who waits is answered though Redis was restarted meanwhile", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const { awaitFinal, store } = yield* Effect.provideContext(ResultStore, yield* Layer.build(at(server.url())))
      const final = aResult()
      const waiting = yield* Effect.forkChild(awaitFinal(final.task_id))
      yield* Effect.sleep("100 millis")
      yield* Effect.promise(() => server.stop())
      yield* Effect.promise(() => server.start())
      yield* eventually("stored again", Effect.option(store(final)), Option.isSome)
      assert.deepStrictEqual(yield* Fiber.join(waiting), final)
    })
  )
})
