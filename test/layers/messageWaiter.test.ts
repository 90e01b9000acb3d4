import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger } from "effect"
import { Redis } from "ioredis"
import * as FalLimitsRedis from "../../src/layers/redis/FalLimitsRedis.ts"
import * as FleetRedis from "../../src/layers/redis/FleetRedis.ts"
import * as JournalRedis from "../../src/layers/redis/JournalRedis.ts"
import * as kombu from "../../src/wire/kombu.ts"
import * as ResultStoreMemory from "../../src/layers/memory/ResultStoreMemory.ts"
import * as ResultStoreRedis from "../../src/layers/redis/ResultStoreRedis.ts"
import * as TaskQueueRedis from "../../src/layers/redis/TaskQueueRedis.ts"
import { Fleet } from "../../src/services/Fleet.ts"
import { ResultStore } from "../../src/services/ResultStore.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { describeWith, ownRedis, ownRedisWith } from "../servers/index.ts"
import { eventually, identity, settings } from "../support.ts"

const QUEUE = "generator_queue"

const admin = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (redis) => Effect.sync(() => redis.disconnect())
  )

/** A worker's queue that waits, and a client that sees what its server does. */
const stageAt = Effect.fnUntraced(function* (url: string, as = url) {
  const raw = yield* admin(url)
  const layer = Layer.fresh(TaskQueueRedis.layer).pipe(
    Layer.provide(Layer.mergeAll(identity(), ResultStoreMemory.layer, settings({ CELERY_BROKER_URL: as })))
  )
  const queue = yield* Effect.provideContext(TaskQueue, yield* Layer.build(Layer.orDie(layer)))
  const ask = <A>(question: (raw: Redis) => Promise<A>) => Effect.promise(() => question(raw))
  const clients = ask(async (raw) => String(await raw.call("CLIENT", "LIST")).split("\n"))
  const waits = Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(queue.awaitMessage)
    yield* eventually("it waits", clients, (list) => list.some((line) => / cmd=exists /.test(line)))
    return fiber
  })
  const calls = ask(async (raw) =>
    Object.fromEntries(
      [...(await raw.info("commandstats")).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, n]) => [name!, Number(n)])
    )
  )
  return { ask, calls, clients, queue, waits }
})

describeWith(["redis"], "who waits for a message", () => {
  it.live("asks one thing for all its lists, and is told once", () =>
    Effect.gen(function* () {
      const { ask, calls, queue, waits } = yield* stageAt((yield* ownRedis).url())
      yield* Fiber.interrupt(yield* waits)
      yield* ask((raw) => raw.config("RESETSTAT"))
      for (let n = 0; n < 20; n++) {
        const waiting = yield* Effect.forkChild(queue.awaitMessage)
        yield* eventually("asked", calls, ({ exists = 0 }) => exists === n + 1)
        assert.isUndefined(waiting.pollUnsafe())
        yield* ask((raw) => raw.lpush(QUEUE, "x"))
        yield* Fiber.join(waiting)
        yield* ask((raw) => raw.rpop(QUEUE))
      }
      const { config: _, info: __, ...counted } = yield* calls
      assert.deepInclude(counted, { exists: 20, lpush: 20 })
      assert.notProperty(counted, "blmove")
      assert.notProperty(counted, "client|tracking")
    })
  )

  const changes: Readonly<Record<string, (raw: Redis) => Promise<unknown>>> = {
    "its list was deleted and is made again": async (raw) => {
      await raw.lpush("other", "x")
      await raw.rename("other", QUEUE)
    },
    "it comes by a script, in a transaction": (raw) =>
      raw.multi().eval(`return redis.call('LPUSH', KEYS[1], 'x')`, 1, QUEUE).exec(),
    "the database is emptied": (raw) => raw.flushdb(),
    "the connection is lost": async (raw) => {
      const line = String(await raw.call("CLIENT", "LIST"))
        .split("\n")
        .find((line) => / cmd=exists /.test(line))!
      await raw
        .multi()
        .client("KILL", "ID", /id=(\d+)/.exec(line)![1]!)
        .lpush(QUEUE, "x")
        .exec()
    }
  }
  for (const [what, change] of Object.entries(changes))
    it.live(`hears of a message when ${what}, and of the next one`, () =>
      Effect.gen(function* () {
        const { ask, waits } = yield* stageAt((yield* ownRedis).url())
        const waiting = yield* waits
        yield* ask(change)
        yield* Fiber.join(waiting).pipe(Effect.timeout("1500 millis")) // before it asks again by itself
        yield* ask((raw) => raw.del(QUEUE))
        const next = yield* waits
        yield* ask((raw) => raw.lpush(QUEUE, "x"))
        yield* Fiber.join(next).pipe(Effect.timeout("1500 millis"))
      })
    )

  it.live("waits for nothing when something lies there already", () =>
    Effect.gen(function* () {
      const { ask, queue } = yield* stageAt((yield* ownRedis).url())
      yield* ask((raw) => raw.lpush(kombu.list(QUEUE, 3), "x"))
      yield* queue.awaitMessage.pipe(Effect.timeout("1500 millis"))
    })
  )

  it.live("asks again and again where it may not be told, and says so once", () =>
    Effect.gen(function* () {
      const server = yield* ownRedisWith({})
      const root = yield* admin(server.url())
      yield* Effect.promise(() => root.call("ACL", "SETUSER", "app", "on", ">word", "~*", "&*", "+@all", "-client|tracking"))
      const said: Array<unknown> = []
      const log = Logger.layer([Logger.make(({ message }) => said.push(message))])
      yield* Effect.gen(function* () {
        const { ask, calls, queue } = yield* stageAt(server.url(), `redis://app:word@${server.host}:${server.port}/0`)
        for (let n = 0; n < 2; n++) {
          const { exists: before = 0 } = yield* calls
          const waiting = yield* Effect.forkChild(queue.awaitMessage)
          yield* eventually("asked, and asked again", calls, ({ exists = 0 }) => exists >= before + 2)
          yield* ask((raw) => raw.lpush(QUEUE, "x"))
          yield* Fiber.join(waiting).pipe(Effect.timeout("1500 millis"))
          yield* ask((raw) => raw.del(QUEUE))
        }
      }).pipe(Effect.provide(log))
      assert.strictEqual(said.length, 1)
      assert.match(String(said[0]), /polled every 100 ms: NOPERM/)
    })
  )
})

describeWith(["redis"], "a worker's connections to Redis", () => {
  const connectionsOf = (broker: string, backend: string) =>
    Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(Effect.flatMap(TaskQueue, ({ awaitMessage }) => awaitMessage))
      yield* Effect.asVoid(Effect.flatMap(Fleet, ({ hear }) => hear))
      yield* Effect.flatMap(ResultStore, ({ ping }) => ping)
      const root = yield* admin(broker)
      const list = yield* eventually(
        "it waits",
        Effect.promise(async () =>
          String(await root.call("CLIENT", "LIST"))
            .trim()
            .split("\n")
        ),
        (list) => list.some((line) => / cmd=exists /.test(line))
      )
      yield* Fiber.interrupt(waiting)
      return list.length - 1 // the one that asks
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(
          TaskQueueRedis.layer.pipe(Layer.provideMerge(ResultStoreRedis.layer)),
          JournalRedis.layer,
          FleetRedis.layer,
          FalLimitsRedis.layer
        ).pipe(
          Layer.provide(Layer.mergeAll(identity(), settings({ CELERY_BROKER_URL: broker, CELERY_RESULT_BACKEND: backend }))),
          Layer.orDie
        )
      )
    )

  it.live("are four: for commands, to wait, to listen, and for the results; three where the results lie beside the queue", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      assert.strictEqual(yield* connectionsOf(url(4), url(5)), 4)
      assert.strictEqual(yield* connectionsOf(url(4), url(4)), 3)
    })
  )
})
