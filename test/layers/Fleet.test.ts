import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Stream } from "effect"
import { Redis } from "ioredis"
import * as FleetMemory from "../../src/layers/memory/FleetMemory.ts"
import * as FleetRedis from "../../src/layers/redis/FleetRedis.ts"
import * as TaskQueueMemory from "../../src/layers/memory/TaskQueueMemory.ts"
import { Fleet } from "../../src/services/Fleet.ts"
import { fleetContract } from "../contracts/fleet.ts"
import { fixture } from "../programs/celery/fixtures.ts"
import { describeWith, freshRedis, ownRedis } from "../servers/index.ts"
import { everyRole, type Role } from "../roles.ts"
import { eventually, identity, message, settings } from "../support.ts"
import { inMemory, onRedis } from "./queues.ts"

const voiceOn = (url: string) => (name: string) =>
  Layer.fresh(FleetRedis.layer).pipe(
    Layer.provide(identity(name)),
    Layer.provide(settings({ CELERY_BROKER_URL: url })),
    Layer.orDie
  )
const fleetOf = (layer: Layer.Layer<never>) =>
  Effect.flatMap(Layer.build(layer), (context) =>
    Effect.provideContext(
      Effect.map(Fleet, (fleet) => fleet),
      context
    )
  )

fleetContract(
  "the fleet in this process",
  Effect.map(Layer.build(FleetMemory.MemoryAir.layer), (air) => ({
    voice: (name) => Layer.fresh(FleetMemory.layer).pipe(Layer.provide(identity(name)), Layer.provide(Layer.succeedContext(air)))
  }))
)

/** Queues that come and go while a worker runs. */
const changingQueues = (name: string, layer: Effect.Effect<Layer.Layer<Role>, never, import("effect").Scope.Scope>) =>
  describe(name, () => {
    it.live("a queue added wakes who waits, one cancelled is not looked at, and what is scheduled is listed in order", () =>
      Effect.gen(function* () {
        yield* Effect.flatMap(everyRole, (queue) =>
          Effect.gen(function* () {
            const waiting = yield* Effect.forkChild(queue.awaitMessage)
            yield* Effect.sleep("50 millis")
            yield* queue.publish([message({ queue: "media", id: "m" })])
            yield* queue.consume("media")
            yield* Fiber.join(waiting).pipe(Effect.timeout("2 seconds"))
            assert.deepStrictEqual(yield* queue.queues, ["generator_queue", "media"])
            yield* queue.awaitMessage.pipe(Effect.timeout("2 seconds"))
            const delivery = Option.getOrThrow(yield* queue.claim)
            assert.strictEqual(delivery.queue, "media")
            yield* queue.hold(delivery, 4_000_000_000_000)
            yield* queue.publish([message({ queue: "media" })])
            yield* queue.cancel("media")
            assert.isTrue(Option.isNone(yield* queue.claim))
            yield* queue.publish([message({ id: "sooner" })])
            yield* queue.hold(Option.getOrThrow(yield* queue.claim), 3_900_000_000_000)
            const listed = yield* queue.scheduled(10)
            assert.deepStrictEqual(
              listed.map(({ delivery, due }) => [delivery.queue, due]),
              [
                ["generator_queue", 3_900_000_000_000],
                ["media", 4_000_000_000_000]
              ]
            )
            assert.include(listed[0]!.delivery.raw, "sooner")
            assert.strictEqual((yield* queue.scheduled(1)).length, 1)
          })
        ).pipe(Effect.provide(yield* layer))
      })
    )
  })
changingQueues(
  "the queues of a worker, in this process",
  Effect.succeed(
    inMemory.pipe(
      Layer.provide(TaskQueueMemory.MemoryBroker.layer),
      Layer.provide(identity()),
      Layer.provide(settings({})),
      Layer.orDie
    )
  )
)

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  changingQueues(
    "the queues of a worker, on Redis",
    Effect.map(freshRedis(redis), ({ url }) =>
      onRedis.pipe(Layer.provide(identity()), Layer.provide(settings({ CELERY_BROKER_URL: url })), Layer.orDie)
    )
  )

  fleetContract(
    "the fleet on Redis",
    Effect.map(freshRedis(redis), ({ url }) => ({ voice: voiceOn(url) }))
  )

  const rawOf = (url: string) =>
    Effect.acquireRelease(
      Effect.sync(() => new Redis(url)),
      (raw) => Effect.sync(() => raw.disconnect())
    )

  it.live("bindings are those of a stock worker, and nothing is left of a question or of a worker that has left", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = yield* rawOf(url)
      const fleet = yield* fleetOf(voiceOn(url)("w1@host"))
      yield* fleet.join([
        { queue: "celery", exchange: "celery", routingKey: "celery" },
        { queue: "q2", exchange: "ex2", routingKey: "rk2" }
      ])
      const members = (key: string) => Effect.promise(() => raw.smembers(`_kombu.binding.${key}`))
      const added = JSON.stringify(fixture("monitor-excerpts-5.3.6"))
        .replaceAll(String.raw`\\x06`, "\u0006")
        .replaceAll(String.raw`\\x16`, "\u0016")
      for (const [key, member] of [
        ["celery", "celery\u0006\u0016\u0006\u0016celery"],
        ["celery.pidbox", "\u0006\u0016\u0006\u0016w1@host.celery.pidbox"],
        ["ex2", "rk2\u0006\u0016\u0006\u0016q2"]
      ] as const) {
        assert.deepStrictEqual(yield* members(key), [member])
        if (key !== "ex2") assert.isTrue(added.includes(member)) // as captured
      }
      const [ears] = yield* members("celeryev")
      assert.isTrue(ears?.startsWith("worker.#\u0006\u0016\u0006\u0016celeryev."))
      yield* fleet.ask({ method: "ping", arguments: {}, destination: null, clock: 1, patience: 100 })
      yield* fleet.leave
      const keys = yield* Effect.promise(() => raw.keys("*"))
      assert.sameMembers(keys, ["_kombu.binding.celery", "_kombu.binding.ex2"])
    })
  )

  it.live("an answer goes to a reply list alone, whatever its message says and whatever is bound", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = yield* rawOf(url)
      const fleet = yield* fleetOf(voiceOn(url)("w1@host"))
      const bind = (exchange: string, key: string, queue: string) =>
        Effect.promise(() => raw.sadd(`_kombu.binding.${exchange}`, `${key}\u0006\u0016\u0006\u0016${queue}`))
      yield* bind("generator_queue", "generator_queue", "generator_queue")
      yield* bind("reply.celery.pidbox", "generator_queue", "generator_queue")
      yield* bind("reply.celery.pidbox", "oid", "oid.reply.celery.pidbox")
      yield* Effect.promise(() => raw.lpush("generator_queue", "a task"))
      for (const exchange of ["generator_queue", "reply.celery.pidbox"])
        assert.isFalse(yield* fleet.reply({ exchange, routingKey: "generator_queue", ticket: null }, {}, 1))
      assert.isTrue(yield* fleet.reply({ exchange: "reply.celery.pidbox", routingKey: "oid", ticket: null }, {}, 1))
      assert.deepStrictEqual(yield* Effect.promise(() => raw.lrange("generator_queue", 0, -1)), ["a task"])
      assert.strictEqual(yield* Effect.promise(() => raw.ttl("generator_queue")), -1)
      assert.isAbove(yield* Effect.promise(() => raw.ttl("oid.reply.celery.pidbox")), 0)
    })
  )

  it.live("what is no envelope is not heard, and does no harm", () =>
    Effect.gen(function* () {
      const { db, url } = yield* freshRedis(redis)
      const raw = yield* rawOf(url)
      const fleet = yield* fleetOf(voiceOn(url)("w1@host"))
      const heard = yield* fleet.hear
      const bad = [
        "",
        "x",
        "[]",
        '{"body":7}',
        '{"body":"e30=","properties":{"body_encoding":"base64"},"content-type":"application/x-yaml"}',
        '{"body":"no"}'
      ]
      const good = '{"body":"e30=","properties":{"body_encoding":"base64"}}'
      for (const text of [...bad, good]) yield* Effect.promise(() => raw.publish(`/${db}.celery.pidbox`, text))
      const first = Option.getOrThrow(yield* Stream.runHead(heard))
      assert.deepStrictEqual(first, { about: "control", routingKey: "", headers: {}, body: {} })
    })
  )

  it.live("no more than 50 000 revoked ids are kept", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const fleet = yield* fleetOf(voiceOn(url)("w1@host"))
      const later = Date.now() + 3_600_000
      const ids = (from: number, count: number) =>
        new Map(Array.from({ length: count }, (_, n) => [`id-${from + n}`, later + from + n]))
      yield* fleet.remember("ids", ids(0, 50_000))
      yield* fleet.remember("ids", ids(50_000, 10))
      const kept = yield* fleet.remembered("ids")
      assert.strictEqual(kept.size, 50_000)
      assert.isTrue(kept.has("id-50009"))
      assert.isFalse(kept.has("id-9"))
    })
  )

  it.live(
    "is heard again after an outage of Redis",
    () =>
      Effect.gen(function* () {
        const server = yield* ownRedis
        const [one, two] = [yield* fleetOf(voiceOn(server.url())("one")), yield* fleetOf(voiceOn(server.url())("two"))]
        const seen: Array<string> = []
        yield* Effect.flatMap(one.hear, (heard) =>
          Effect.forkScoped(Stream.runForEach(heard, ({ routingKey }) => Effect.sync(() => void seen.push(routingKey))))
        )
        yield* two.publish("worker.online", {})
        yield* eventually(
          "heard",
          Effect.sync(() => seen.length),
          (count) => count === 1
        )
        yield* Effect.promise(() => server.stop())
        yield* Effect.sleep("300 millis")
        yield* Effect.promise(() => server.start())
        yield* eventually(
          "heard again",
          Effect.andThen(
            Effect.ignore(two.publish("worker.heartbeat", {})),
            Effect.sync(() => seen.includes("worker.heartbeat"))
          ),
          (again) => again
        )
      }),
    30_000
  )
})
