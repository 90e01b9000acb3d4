import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Option } from "effect"
import { Redis } from "ioredis"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as ModelLibrarySql from "../../src/layers/postgres/ModelLibrarySql.ts"
import { explain } from "../../src/programs/explain.ts"
import { Metrics } from "../../src/services/Metrics.ts"
import { ModelLibrary } from "../../src/services/ModelLibrary.ts"
import { valueOf } from "../contracts/metrics.ts"
import { describeWith, freshRedis, ownRedis } from "../servers/index.ts"
import { everyRole } from "../roles.ts"
import { eventually, identity, message, settings } from "../support.ts"
import { connected, pooled } from "./databases.ts"
import { onRedis } from "./queues.ts"

const metric = (series: string) =>
  Effect.flatMap(Metrics, ({ expose }) => Effect.map(expose, ({ body }) => valueOf(body, series) ?? 0))

const queueAt = (url: string) =>
  onRedis.pipe(
    Layer.provideMerge(Layer.mergeAll(identity(), Layer.fresh(MetricsMemory.layer))),
    Layer.provide(settings({ CELERY_BROKER_URL: url })),
    Layer.orDie
  )

describeWith(["redis"], "trouble with Redis is counted", () => {
  it.live("an outage by what the network said, and the return from it", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const url = server.url(0)
      const name = url.replace("redis://", "")
      yield* Effect.gen(function* () {
        const queue = yield* everyRole
        const reconnections = metric(`redis_reconnections_total{server="${name}"}`)
        yield* queue.ping
        assert.strictEqual(yield* reconnections, 0)
        yield* Effect.promise(() => server.stop())
        yield* eventually("refused", metric(`redis_errors_total{server="${name}",error="ECONNREFUSED"}`), (count) => count > 0)
        yield* Effect.promise(() => server.start())
        yield* eventually("back", reconnections, (count) => count === 1)
        yield* queue.ping
      }).pipe(Effect.provide(queueAt(url)))
    })
  )

  it.live("a refused password, and a server that is full", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const url = server.url(0)
      const name = url.replace("redis://", "")
      const raw = new Redis(url)
      yield* Effect.gen(function* () {
        const queue = yield* everyRole
        yield* queue.publish([message()])
        yield* Effect.promise(() => raw.config("SET", "maxmemory", "1", "maxmemory-policy", "noeviction"))
        const error = yield* Effect.flip(queue.publish([message()]))
        assert.match(explain(error), /OOM command not allowed/)
        assert.isAbove(yield* metric(`redis_errors_total{server="${name}",error="OOM"}`), 0)
        yield* Effect.promise(() => raw.config("SET", "maxmemory", "0"))
        yield* queue.publish([message()])
      }).pipe(Effect.provide(queueAt(url)))
      yield* Effect.promise(() => raw.config("SET", "requirepass", "secret"))
      yield* Effect.gen(function* () {
        const queue = yield* everyRole
        const error = yield* Effect.flip(queue.ping)
        assert.match(String(error.cause), /WRONGPASS/)
        assert.isAbove(yield* metric(`redis_errors_total{server="${name}",error="WRONGPASS"}`), 0)
      }).pipe(Effect.provide(queueAt(url.replace("redis://", "redis://:not-it@"))))
      raw.disconnect()
    })
  )
})

describeWith(["redis"], "a message's age", () => {
  it.live("is not confused by a stock worker that takes one of those that were seen", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const raw = new Redis(server.url(0))
      yield* Effect.gen(function* () {
        const queue = yield* everyRole
        const info = { name: "one", boot: "one", host: "h", pid: 1, version: "1", queues: [], startedAt: 0, metrics: "" }
        const beat = queue.beat({ ...info, processed: 0, consuming: true, doing: "" })
        const oldest = Effect.map(queue.status, ({ queues }) => queues[0]!.oldestSeconds)
        yield* queue.publish([message({ id: "first" })])
        yield* beat
        yield* eventually("waits", oldest, (seconds) => seconds._tag === "Some" && seconds.value > 0.3)
        yield* queue.publish([message({ id: "second" })])
        const before = Date.now()
        yield* beat
        yield* Effect.promise(() => raw.rpop("generator_queue"))
        assert.isAtLeast(Option.getOrThrow(yield* queue.claim).seenSince, before - 2)
        assert.strictEqual((yield* oldest)._tag, "None")
      }).pipe(Effect.provide(queueAt(server.url(0))))
      raw.disconnect()
    })
  )
})

describeWith(["redis"], "a machine's clock", ({ redis }) => {
  it.live("is held against Redis's", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      yield* Effect.gen(function* () {
        const { status } = yield* everyRole
        const clock = yield* Clock.Clock
        const millis = () => clock.currentTimeMillisUnsafe() + 90_000
        const ahead = { ...clock, currentTimeMillisUnsafe: millis, currentTimeMillis: Effect.sync(millis) }
        for (const [at, seconds] of [
          [clock, 0],
          [ahead, 90]
        ] as const) {
          const [took, { clockAheadSeconds }] = yield* Effect.timed(Effect.provideService(status, Clock.Clock, at))
          assert.closeTo(clockAheadSeconds, seconds, Duration.toSeconds(took) / 2 + 0.01) // known to half the way there and back
        }
      }).pipe(Effect.provide(queueAt(url)))
    })
  )
})

const libraryAt = (database: ReturnType<typeof connected>) =>
  ModelLibrarySql.layer.pipe(Layer.provide(database), Layer.provideMerge(Layer.fresh(MetricsMemory.layer)))

describeWith(["postgres"], "trouble with PostgreSQL is counted", ({ postgres }) => {
  it.live("by operation and SQLSTATE, with the connections that were made", () =>
    Effect.gen(function* () {
      const { find, ping } = yield* ModelLibrary
      yield* Effect.flip(ping)
      yield* Effect.flip(find({ templateId: "any", version: null }))
      for (const operation of ["ping", "find"])
        assert.strictEqual(yield* metric(`database_errors_total{operation="${operation}",error="42P01"}`), 1) // no such table
      assert.isAtLeast(yield* metric("database_connections_total"), 1)
    }).pipe(Effect.provide(libraryAt(pooled(postgres))))
  )

  it.live("and by what the network said", () =>
    Effect.gen(function* () {
      const { find } = yield* ModelLibrary
      yield* Effect.flip(find({ templateId: "any", version: null }))
      assert.strictEqual(yield* metric('database_errors_total{operation="find",error="ECONNREFUSED"}'), 1)
    }).pipe(Effect.provide(libraryAt(connected("postgresql://worker:word@127.0.0.1:1/none"))))
  )
})
