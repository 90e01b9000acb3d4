import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Redis } from "ioredis"
import { vi } from "vitest"
import * as FleetRedis from "../../src/layers/redis/FleetRedis.ts"
import * as JournalRedis from "../../src/layers/redis/JournalRedis.ts"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as ResultStoreRedis from "../../src/layers/redis/ResultStoreRedis.ts"
import * as TaskQueueRedis from "../../src/layers/redis/TaskQueueRedis.ts"
import { explain } from "../../src/programs/explain.ts"
import { Fleet } from "../../src/services/Fleet.ts"
import { Journal } from "../../src/services/Journal.ts"
import { Metrics } from "../../src/services/Metrics.ts"
import { ResultStore } from "../../src/services/ResultStore.ts"
import { describeWith, ownRedisWith } from "../servers/index.ts"
import { everyRole } from "../roles.ts"
import { eventually, identity, message, settings } from "../support.ts"

const layersAt = (broker: string, backend: string) =>
  Layer.mergeAll(
    TaskQueueRedis.layer.pipe(Layer.provideMerge(ResultStoreRedis.layer)),
    JournalRedis.layer,
    FleetRedis.layer
  ).pipe(
    Layer.provideMerge(Layer.mergeAll(identity(), Layer.fresh(MetricsMemory.layer))),
    Layer.provide(settings({ CELERY_BROKER_URL: broker, CELERY_RESULT_BACKEND: backend })),
    Layer.orDie
  )

const raw = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (redis) => Effect.sync(() => redis.disconnect())
  )

/** Every use of Redis there is, each of which must fail. */
const uses = Effect.gen(function* () {
  const queue = yield* everyRole
  const results = yield* ResultStore
  const journal = yield* Journal
  const fleet = yield* Fleet
  const { queue: name, raw: text } = message()
  return {
    claim: queue.claim,
    awaitMessage: Effect.timeout(queue.awaitMessage, "3 seconds"),
    publish: queue.publish([{ tag: "tag", queue: name, priority: 0, raw: text }]),
    release: queue.release,
    status: queue.status,
    results: results.ping,
    get: results.get("id"),
    journal: journal.find("id"),
    inFlight: journal.inFlight,
    join: fleet.join([]),
    hear: Effect.scoped(fleet.hear)
  }
})

const refuses = Effect.fnUntraced(function* (says: RegExp) {
  for (const [name, use] of Object.entries(yield* uses)) {
    const outcome = yield* Effect.result(use as Effect.Effect<unknown, unknown>) // whatever each of them gives
    assert.strictEqual(outcome._tag, "Failure", name)
    if (outcome._tag === "Failure" && name !== "awaitMessage") assert.match(explain(outcome.failure), says, name)
  }
})

describeWith(["redis"], "a connection that its server does not let into its database", () => {
  it.live(
    "is used for nothing, and another application's messages in database 0 are left alone",
    () =>
      Effect.gen(function* () {
        const server = yield* ownRedisWith({ databases: 4 })
        const zero = yield* raw(server.url(0))
        const theirs = message().raw
        yield* Effect.promise(() => zero.lpush("generator_queue", theirs))
        yield* Effect.provide(
          refuses(/database [45] is refused \(ERR DB index is out of range\)/),
          layersAt(server.url(4), server.url(5))
        )
        assert.deepStrictEqual(yield* Effect.promise(() => zero.keys("*")), ["generator_queue"])
        assert.deepStrictEqual(yield* Effect.promise(() => zero.lrange("generator_queue", 0, -1)), [theirs])
      }),
    60_000
  )

  it.live(
    "is made again until it is let in: a user without SELECT works once he has it",
    () =>
      Effect.gen(function* () {
        const server = yield* ownRedisWith({})
        const admin = yield* raw(server.url(0))
        const rights = (...more: ReadonlyArray<string>) =>
          Effect.promise(() => admin.call("ACL", "SETUSER", "app", "reset", "on", ">word", "~*", "&*", "+@all", ...more))
        yield* rights("-select")
        const url = (db: number) => `redis://app:word@${server.host}:${server.port}/${db}`
        yield* Effect.gen(function* () {
          const queue = yield* everyRole
          yield* refuses(/database [45] is refused \(NOPERM .*select/)
          assert.deepStrictEqual(yield* Effect.promise(() => admin.keys("*")), [])
          yield* rights()
          yield* eventually("it is let in", Effect.result(queue.ping), ({ _tag }) => _tag === "Success")
          yield* queue.publish([message()])
          const four = yield* raw(server.url(4))
          assert.strictEqual(yield* Effect.promise(() => four.llen("generator_queue")), 1)
          assert.isTrue(Option.isSome(yield* queue.claim))
        }).pipe(Effect.provide(layersAt(url(4), url(5))))
      }),
    60_000
  )
})

describeWith(["redis"], "a healthy start", () => {
  const errors = Effect.flatMap(Metrics, ({ expose }) =>
    Effect.map(expose, ({ body }) => body.split("\n").filter((line) => /redis_errors_total\{/.test(line)))
  )
  const work = Effect.gen(function* () {
    const queue = yield* everyRole
    yield* queue.publish([message()])
    yield* queue.awaitMessage
    yield* queue.claim
    yield* (yield* ResultStore).ping
    yield* (yield* Journal).inFlight
  })

  it.live("counts no error", () =>
    Effect.gen(function* () {
      const server = yield* ownRedisWith({})
      const found = Effect.andThen(work, errors).pipe(Effect.provide(layersAt(server.url(4), server.url(5))))
      assert.deepStrictEqual(yield* found, [])
    })
  )

  it.live("counts none either where a user may not ask for INFO, and writes nothing past the log", () =>
    Effect.gen(function* () {
      const server = yield* ownRedisWith({})
      const admin = yield* raw(server.url(0))
      yield* Effect.promise(() =>
        admin.call("ACL", "SETUSER", "app", "on", ">word", "~*", "&*", "+@all", "-info", "-config", "-acl")
      )
      const url = (db: number) => `redis://app:word@${server.host}:${server.port}/${db}`
      const said = vi.spyOn(console, "warn")
      const found = yield* Effect.andThen(work, errors).pipe(Effect.provide(layersAt(url(4), url(5))))
      assert.deepStrictEqual(found, [])
      assert.strictEqual(said.mock.calls.length, 0)
      said.mockRestore()
    })
  )
})
