import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { Redis } from "ioredis"
import * as kombu from "../../src/wire/kombu.ts"
import { describeWith, freshRedis, ownRedis } from "../servers/index.ts"
import { everyRole, type EveryRole } from "../roles.ts"
import { eventually, identity, message, settings } from "../support.ts"
import { onRedis } from "./queues.ts"

const QUEUE = "generator_queue"
const SEP = "\u0006\u0016"

/** Workers on one database, and a client that sees and sends bytes. */
const stageOn = Effect.fnUntraced(function* (url: string, queues = QUEUE) {
  const raw = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (client) => Effect.sync(() => client.disconnect())
  )
  const worker = (name: string) =>
    Layer.build(
      onRedis.pipe(
        Layer.provideMerge(identity(name, { boot: `boot of ${name}` })),
        Layer.provide(settings({ CELERY_BROKER_URL: url, WORKER_QUEUES: queues })),
        Layer.orDie
      )
    ).pipe(Effect.flatMap((context) => Effect.provideContext(everyRole, context)))
  return {
    worker,
    raw,
    ask: <A>(question: (raw: Redis) => Promise<A>) => Effect.promise(() => question(raw)),
    claimed: (queue: EveryRole) => Effect.map(queue.claim, Option.getOrThrow),
    now: Effect.promise(async () => Number((await raw.time())[0]))
  }
})
/** A message in which one byte is not UTF-8, in a text that nobody reads. */
const broken = (id: string) => Buffer.from(message({ id }).raw.replace('"gen1@test"', '"gen1@t\u00ffst"'), "latin1")
const idOf = (raw: string) => (JSON.parse(raw) as { headers: { id: string } }).headers.id // written by us

describeWith(["redis"], "bytes that are not UTF-8", ({ redis }) => {
  const onStage = Effect.flatMap(freshRedis(redis), ({ url }) => stageOn(url))

  it.live("go back as they are after a wait, a hand-back and a death, and are claimed again: never a loop", () =>
    Effect.gen(function* () {
      const { ask, claimed, worker } = yield* onStage
      const queue = yield* worker("celery@one")
      const sent = broken("bad")
      yield* ask((raw) => raw.lpush(QUEUE, sent))
      const first = yield* claimed(queue)
      assert.deepStrictEqual(Buffer.from(first.bytes!), Buffer.from(sent))
      yield* queue.hold(first, Date.now() - 1000)
      assert.deepInclude(yield* queue.release, { due: 1 })
      assert.deepStrictEqual(yield* ask((raw) => raw.lindexBuffer(QUEUE, -1)), Buffer.from(sent))
      yield* queue.handBack(yield* claimed(queue), { crashed: false })
      yield* claimed(queue) // by a worker that never had a lease, and so is dead
      const heir = yield* worker("celery@heir")
      assert.deepInclude(yield* heir.release, { lost: 1, buried: 0 })
      const again = yield* claimed(heir)
      assert.isTrue(again.suspect)
      assert.include(Buffer.from(again.bytes!).toString("latin1"), "gen1@t\u00ffst")
      assert.deepInclude(JSON.parse(again.raw).properties, { crashes: 1 })
    })
  )

  it.live("a hundred of them stop nothing that is due behind them", () =>
    Effect.gen(function* () {
      const { ask, claimed, worker } = yield* onStage
      const queue = yield* worker("celery@one")
      for (let n = 0; n < 110; n++) {
        yield* ask((raw) => raw.lpush(QUEUE, broken(`bad-${n}`)))
        yield* queue.hold(yield* claimed(queue), 1000 + n)
      }
      yield* queue.publish([message({ id: "good" })])
      yield* queue.hold(yield* claimed(queue), 5000)
      yield* queue.release
      assert.deepInclude(yield* queue.release, { due: 11 })
      assert.strictEqual(yield* ask((raw) => raw.zcard(kombu.scheduled)), 0)
      assert.isTrue((yield* ask((raw) => raw.lrange(QUEUE, 0, -1))).some((text) => text.includes('"good"')))
    })
  )

  it.live("are kept in a dead letter that is JSON, and come back by a redrive as they were", () =>
    Effect.gen(function* () {
      const { ask, claimed, worker } = yield* onStage
      const queue = yield* worker("celery@one")
      for (const sent of [broken("bad"), Buffer.from([0x00, 0xff, 0x22, 0x5c, 0x80])]) {
        yield* ask((raw) => raw.lpush(QUEUE, sent))
        yield* queue.bury(yield* claimed(queue), { reason: "test", error: "" })
        const [letter] = yield* queue.deadLetters.list(10)
        const stored = yield* ask((raw) => raw.lindexBuffer(kombu.dead(QUEUE), 0))
        assert.strictEqual(Buffer.from(stored!.toString()).equals(stored!), true, "a letter is UTF-8")
        assert.strictEqual(JSON.parse(letter!.text).raw, Buffer.from(sent).toString())
        assert.isTrue(yield* queue.deadLetters.redrive(letter!))
        assert.deepStrictEqual(yield* ask((raw) => raw.rpopBuffer(QUEUE)), Buffer.from(sent))
      }
    })
  )

  it.live("a message that is not JSON, or nests a thousand deep, is claimed, handed back and buried as it is", () =>
    Effect.gen(function* () {
      const { ask, claimed, worker } = yield* onStage
      const queue = yield* worker("celery@one")
      const deep = `{"headers": {"id": "deep", "x": ${"[".repeat(2000)}${"]".repeat(2000)}}}`
      for (const sent of [Buffer.from([0xff, 0x00, 0x7f]), Buffer.from(deep), Buffer.from("null"), Buffer.from("")]) {
        yield* ask((raw) => raw.lpush(QUEUE, sent))
        const once = yield* claimed(queue)
        yield* queue.handBack(once, { crashed: false })
        const twice = yield* claimed(queue)
        if (sent.toString() === deep) assert.strictEqual(idOf(twice.raw), "deep")
        else assert.deepStrictEqual(Buffer.from(twice.bytes ?? Buffer.from(twice.raw)), sent)
        yield* queue.bury(twice, { reason: "test", error: "" })
      }
      assert.deepStrictEqual(yield* ask((raw) => raw.hlen(kombu.unacked)), 0)
    })
  )
})

describeWith(["redis"], "a message goes back where it was taken", ({ redis }) => {
  const onStage = Effect.flatMap(freshRedis(redis), ({ url }) => stageOn(url, "media,other"))
  const by = (id: string, exchange: string, routingKey: string) => {
    const sent = JSON.parse(message({ id, queue: "media" }).raw) as { properties: Record<string, unknown> } // written by us
    return JSON.stringify({
      ...sent,
      properties: { ...sent.properties, delivery_info: { exchange, routing_key: routingKey } }
    })
  }

  it.live(
    "whatever exchange and routing key its sender used, or if it was moved by hand; a stock worker would put it there too",
    () =>
      Effect.gen(function* () {
        const { ask, claimed, worker } = yield* onStage
        const queue = yield* worker("celery@one")
        yield* ask(async (raw) => {
          await raw.sadd("_kombu.binding.topics", `pictures.#${SEP}^pictures\\..*?$${SEP}media`)
          await raw.lpush("media", by("by topic", "topics", "pictures.large"))
          await raw.lpush("elsewhere", by("by hand", "", "elsewhere"))
          await raw.lmove("elsewhere", "media", "RIGHT", "LEFT")
        })
        for (const id of ["by topic", "by hand"]) {
          const delivery = yield* claimed(queue)
          assert.strictEqual(idOf(delivery.raw), id)
          const entry = yield* ask((raw) => raw.hget(kombu.unacked, delivery.tag))
          assert.deepStrictEqual(JSON.parse(entry!).slice(1), ["", "media"])
          yield* queue.hold(delivery, 1000)
        }
        assert.deepInclude(yield* queue.release, { due: 2 })
        assert.deepStrictEqual(
          yield* ask((raw) => Promise.all(["media", "pictures.large", "elsewhere"].map((list) => raw.llen(list)))),
          [2, 0, 0]
        )
      })
  )

  it.live(
    "what a stock worker left goes where kombu's bindings lead: by key, by a pattern, else to the first of our queues",
    () =>
      Effect.gen(function* () {
        const { ask, now, worker } = yield* onStage
        const queue = yield* worker("celery@one")
        const long = (yield* now) - 7200
        yield* ask(async (raw) => {
          await raw.sadd("_kombu.binding.direct", `rk${SEP}${SEP}other`, `r.k${SEP}${SEP}wrong`)
          await raw.sadd("_kombu.binding.topics", `a.*.c${SEP}^a\\..*?[^\\.]\\.c$${SEP}stars`, `x.#${SEP}^x\\..*?$${SEP}hashes`)
          await raw.set("_kombu.binding.no-set", "text")
          await raw.hset("a-hash", "field", "value")
          const left = [
            ["direct", "rk"],
            ["topics", "a.b.c"],
            ["topics", "x.y.z"],
            ["topics", "a.c"],
            ["unknown", "rk"],
            ["no-set", "rk"],
            ["", "plain"],
            ["", "a-hash"],
            [null, null]
          ] as const
          for (const [at, [exchange, key]] of left.entries()) {
            const tag = `tag-${at}`
            const triple = `[${by(`${exchange}/${key}`, exchange ?? "", key ?? "")}, ${JSON.stringify(exchange)}, ${JSON.stringify(key)}]`
            await raw.hset(kombu.unacked, tag, triple)
            await raw.zadd(kombu.unackedIndex, long, tag)
          }
        })
        assert.deepInclude(yield* queue.release, { lost: 9, buried: 0 })
        const ids = (list: string) => ask(async (raw) => (await raw.lrange(list, 0, -1)).map(idOf))
        assert.deepStrictEqual(yield* ids("other"), ["direct/rk"])
        assert.deepStrictEqual(yield* ids("stars"), ["topics/a.b.c"])
        assert.deepStrictEqual(yield* ids("hashes"), ["topics/x.y.z"])
        assert.deepStrictEqual(yield* ids("plain"), ["/plain"])
        assert.sameMembers([...(yield* ids("media"))], ["topics/a.c", "unknown/rk", "no-set/rk", "/a-hash", "null/null"])
        assert.deepStrictEqual(yield* ask((raw) => raw.hlen(kombu.unacked)), 0)
      })
  )

  it.live("its text is changed where it must be, and nowhere else: numbers, empty lists and the order of keys stay", () =>
    Effect.gen(function* () {
      const { ask, claimed, worker } = yield* onStage
      const queue = yield* worker("celery@one")
      const text = (properties: string, flag: string) =>
        `{"body": "W10=", "headers": {"id": "a\\"}", "big": 12345678901234567890, "one": 1.0, "none": []${flag}}, "properties": {${properties}}}`
      yield* ask((raw) => raw.lpush("media", text(`"priority": 7, "delivery_info": {"x": {}}, "crashes": 1`, "")))
      yield* queue.handBack(yield* claimed(queue), { crashed: true, generation: { attempt: 0.5 } })
      assert.deepStrictEqual(yield* ask((raw) => raw.lrange(kombu.list("media", 6), 0, -1)), [
        text(
          `"priority": 7, "delivery_info": {"x": {},"redelivered":true}, "crashes": 2,"generation":{"attempt":0.5}`,
          `,"redelivered":true`
        )
      ])
    })
  )
})

describeWith(["redis"], "who calls others dead", () => {
  it.live("has beaten on time itself: after Redis, or it, stood still, others get a grace", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const { ask, claimed, now, worker } = yield* stageOn(url())
      const [one, two] = [yield* worker("celery@one"), yield* worker("celery@two")]
      yield* one.publish([message()])
      yield* claimed(one)
      const t = yield* now
      const lease = (boot: string, beatSecondsAgo: number) =>
        ask((raw) => raw.zadd(kombu.leases, t - beatSecondsAgo + kombu.LEASE, `boot of ${boot}`))
      const steadyFor = (seconds: number) => ask((raw) => raw.hset(kombu.steady, "boot of celery@two", t - seconds))
      yield* lease("celery@one", 60) // ran out
      yield* lease("celery@two", 60)
      yield* steadyFor(600)
      assert.deepInclude(yield* two.release, { lost: 0 }, "it stood still itself")
      yield* lease("celery@two", 0)
      yield* steadyFor(5)
      assert.deepInclude(yield* two.release, { lost: 0 }, "it has just gone on")
      yield* steadyFor(20)
      assert.deepInclude(yield* two.release, { lost: 1 })
    })
  )

  it.live("a beat that comes late begins the row anew, and one on time does not", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const { ask, now, worker } = yield* stageOn(url())
      const queue = yield* worker("celery@one")
      const info = {
        name: "celery@one",
        boot: "boot of celery@one",
        host: "test",
        pid: 1,
        version: "0",
        queues: [],
        startedAt: 0,
        metrics: "",
        processed: 0,
        consuming: true,
        doing: ""
      }
      const since = ask(async (raw) => Number(await raw.hget(kombu.steady, info.boot)))
      const beatWas = (secondsAgo: number, t: number) =>
        ask((raw) => raw.zadd(kombu.leases, t - secondsAgo + kombu.LEASE, info.boot))
      yield* queue.beat(info)
      const first = yield* since
      yield* beatWas(9, yield* now)
      yield* queue.beat(info)
      assert.strictEqual(yield* since, first)
      yield* beatWas(12, yield* now)
      yield* queue.beat(info)
      assert.isAbove(yield* since, first)
    })
  )
})

describeWith(["redis"], "a hand-back that fails", () => {
  it.live("is made by a later pass, with what was to be said: the message does not stay with a worker that lives", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const { ask, claimed, worker } = yield* stageOn(url())
      const queue = yield* worker("celery@one")
      yield* queue.publish([message({ id: "crashed" }), message({ id: "kept" })])
      const [crashed, kept] = [yield* claimed(queue), yield* claimed(queue)]
      yield* ask((raw) => raw.acl("SETUSER", "default", "-evalsha", "-eval"))
      const options = { crashed: true, generation: { attempt: 0.5 } }
      assert.isTrue((yield* Effect.exit(queue.handBack(crashed, options)))._tag === "Failure")
      yield* ask((raw) => raw.acl("SETUSER", "default", "+@all"))
      assert.deepInclude(yield* queue.release, { lost: 1 })
      const again = yield* claimed(queue)
      assert.strictEqual(idOf(again.raw), "crashed")
      assert.deepInclude(JSON.parse(again.raw).properties, { crashes: 1, generation: { attempt: 0.5 } })
      assert.deepInclude(yield* queue.release, { lost: 0 })
      yield* queue.acknowledge(kept)
      assert.strictEqual(yield* ask((raw) => raw.hlen(kombu.held)), 1)
    })
  )
})

describeWith(["redis"], "large messages that are due at once", () => {
  it.live("go back without passing through the worker, and Redis needs room for a few of them, not for all", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const { ask, raw, worker } = yield* stageOn(url())
      const queue = yield* worker("celery@one")
      const sent = JSON.parse(message({ id: "large" }).raw) as Record<string, unknown> // written by us
      const triple = `[${JSON.stringify({ ...sent, body: "A".repeat(6_000_000) })},"","${QUEUE}"]`
      for (let n = 0; n < 30; n++) {
        yield* ask(() =>
          raw
            .multi()
            .hset(kombu.unacked, `t${n}`, triple)
            .zadd(kombu.scheduled, 1000 + n, `t${n}`)
            .exec()
        )
      }
      const memory = (field: string) =>
        ask(async () => Number(new RegExp(`${field}:(\\d+)`).exec(await raw.info("memory"))![1]) / 1e6)
      const [before, resident] = [yield* memory("used_memory"), process.memoryUsage().rss / 1e6]
      yield* ask(() => raw.config("RESETSTAT"))
      let [passes, due, peak] = [0, 0, 0]
      for (; due < 30; passes++) {
        due += (yield* queue.release).due
        peak = Math.max(peak, yield* memory("used_memory"))
      }
      assert.isAtLeast(passes, 15) // two of them are more than one pass takes
      assert.isBelow(peak - before, 80)
      assert.isBelow(process.memoryUsage().rss / 1e6 - resident, 60)
      assert.strictEqual(yield* ask(() => raw.llen(QUEUE)), 30)
    })
  )
})

describeWith(["redis"], "listings of much and large", () => {
  it.live("scheduled messages: a few megabytes of them, the soonest first, however many there are", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const { ask, raw, worker } = yield* stageOn(url())
      const queue = yield* worker("celery@one")
      for (let n = 0; n < 40; n++) {
        const triple = `[${message({ id: `m${n}`, kwargs: { text: "A".repeat(1_000_000) } }).raw},"","${QUEUE}"]`
        yield* ask(() =>
          raw
            .multi()
            .hset(kombu.unacked, `t${n}`, triple)
            .zadd(kombu.scheduled, 4e9 + n, `t${n}`)
            .exec()
        )
      }
      const listed = yield* queue.scheduled(1000)
      assert.deepStrictEqual(
        listed.map(({ delivery, due }) => [idOf(delivery.raw), delivery.queue, due]),
        ["m0", "m1", "m2", "m3"].slice(0, listed.length).map((id, n) => [id, QUEUE, (4e9 + n) * 1000])
      )
      assert.isAtLeast(listed.length, 3)
    })
  )

  it.live("dead letters: long ones without their message, which is read when it is asked for; redriven and dropped by name", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const { ask, claimed, raw, worker } = yield* stageOn(url())
      const queue = yield* worker("celery@one")
      const large = (id: string) => message({ id, kwargs: { text: "A".repeat(4_000_000) } })
      for (let n = 0; n < 12; n++) {
        yield* queue.publish([large(`m${n}`)])
        yield* queue.bury(yield* claimed(queue), { reason: "test", error: `why ${n}` })
      }
      yield* ask(() => raw.lpush(kombu.dead(QUEUE), "B".repeat(5_000_000), "not by us"))
      const listed = yield* queue.deadLetters.list(100)
      assert.strictEqual(listed.length, 14)
      assert.isBelow(
        listed.reduce((sum, { text }) => sum + text.length, 0),
        20_000
      )
      const [other, bare, newest, ...older] = listed
      assert.deepStrictEqual([other!.text, bare!.text, bare!.bytes], ["not by us", "", 5_000_000])
      assert.deepInclude(JSON.parse(newest!.text), { reason: "test", error: "why 11", task: "health_check", task_id: "m11" })
      const whole = Option.getOrThrow(yield* queue.deadLetters.read(older.at(-1)!))
      assert.strictEqual(JSON.parse(whole).raw, large("m0").raw)
      assert.isTrue(yield* queue.deadLetters.drop(older.at(-2)!))
      assert.isFalse(yield* queue.deadLetters.drop(older.at(-2)!))
      assert.isTrue(yield* queue.deadLetters.redrive(newest!))
      assert.strictEqual(idOf((yield* claimed(queue)).raw), "m11")
      assert.isTrue(yield* queue.deadLetters.redrive(bare!))
      assert.strictEqual(yield* ask(() => raw.rpop(QUEUE)), "B".repeat(5_000_000))
      assert.strictEqual((yield* queue.deadLetters.list(100)).length, 11)
      assert.strictEqual((yield* queue.deadLetters.list(5)).length, 5)
    })
  )
})

describeWith(["redis"], "a large message that comes while a worker waits", () => {
  it.live("wakes it, and is not sent to it only for that; the next one wakes it too", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const { ask, raw, worker } = yield* stageOn(url())
      const queue = yield* worker("celery@one")
      const sentBytes = ask(async () => Number(/total_net_output_bytes:(\d+)/.exec(await raw.info("stats"))![1]))
      for (let n = 0; n < 3; n++) {
        const waiting = yield* Effect.forkChild(queue.awaitMessage)
        yield* eventually(
          "waits",
          ask(() => raw.call("CLIENT", "LIST").then(String)),
          (list) => list.split("\n").some((line) => /flags=t\b.* cmd=exists/.test(line))
        )
        const before = yield* sentBytes
        yield* ask(() => raw.lpush(QUEUE, "A".repeat(40_000_000)))
        yield* Fiber.join(waiting)
        assert.isBelow((yield* sentBytes) - before, 15_000_000)
        yield* ask(() => raw.del(QUEUE))
      }
    })
  )
})

describeWith(["redis"], "what is remembered of workers and messages", ({ redis }) => {
  const onStage = Effect.flatMap(freshRedis(redis), ({ url }) => stageOn(url))
  const info = (name: string) => ({
    name,
    boot: `boot of ${name}`,
    host: "test",
    pid: 1,
    version: "0",
    queues: [],
    startedAt: 0,
    metrics: "",
    processed: 0,
    consuming: true,
    doing: ""
  })

  it.live("workers that have been dead for more than an hour are forgotten, and those of this hour are shown", () =>
    Effect.gen(function* () {
      const { ask, now, worker } = yield* onStage
      const t = yield* now
      yield* ask(async (raw) => {
        for (let n = 0; n < 40; n++) {
          await raw.hset(kombu.workers, `old-${n}`, JSON.stringify(info(`old-${n}`)))
          await raw.zadd(kombu.leases, t - 4000, `boot of old-${n}`)
          await raw.hset(kombu.steady, `boot of old-${n}`, t - 9000)
        }
        await raw.hset(kombu.workers, "recent", JSON.stringify(info("recent")))
        await raw.zadd(kombu.leases, t - 3000, "boot of recent")
      })
      const queue = yield* worker("celery@one")
      for (let n = 0; n < 30; n++) yield* queue.beat(info("celery@one"))
      const { workers } = yield* queue.status
      assert.sameMembers(
        workers.map(({ name }) => name),
        ["recent", "celery@one"]
      )
      assert.deepStrictEqual(yield* ask((raw) => raw.hkeys(kombu.steady)), ["boot of celery@one"])
    })
  )

  it.live("the age of a queue that another kind of worker empties is that of what lies there now", () =>
    Effect.gen(function* () {
      const { ask, worker } = yield* onStage
      const queue = yield* worker("celery@one")
      const beat = queue.beat(info("celery@one"))
      const oldest = Effect.map(queue.status, ({ queues }) => Option.getOrElse(queues[0]!.oldestSeconds, () => -1))
      yield* queue.publish([message(), message()])
      yield* beat
      yield* Effect.sleep("300 millis")
      yield* queue.publish([message()])
      yield* beat
      assert.isAtLeast(yield* oldest, 0.3)
      yield* ask((raw) => raw.rpop(QUEUE)) // as a stock worker takes it
      yield* beat
      assert.isAtLeast(yield* oldest, 0.3, "the second of the first two waits still")
      yield* ask((raw) => raw.rpop(QUEUE))
      yield* queue.publish([message()])
      yield* beat
      assert.isBelow(yield* oldest, 0.3)
    })
  )
})

describeWith(["redis"], "messages for a queue that is no list", ({ redis }) => {
  it.live("are refused, and none of those sent with them is, nor are they taken for sent", () =>
    Effect.gen(function* () {
      const { ask, worker } = yield* Effect.flatMap(freshRedis(redis), ({ url }) => stageOn(url))
      const queue = yield* worker("celery@one")
      yield* ask((raw) => raw.hset("sessions", "a", "b"))
      const messages = [message(), message({ queue: "sessions" }), message()]
      const error = yield* Effect.flip(queue.publishOnce({ key: "canvas", digest: "digest" }, "", messages))
      assert.include(String(error.cause), "WRONGTYPE sessions is no queue")
      assert.strictEqual(yield* ask((raw) => raw.llen(QUEUE)), 0)
      const alone = yield* Effect.flip(queue.publish([message({ queue: "sessions" })]))
      assert.include(String(alone.cause), "WRONGTYPE")
      yield* ask((raw) => raw.del("sessions"))
      yield* queue.publishOnce({ key: "canvas", digest: "digest" }, "", messages)
      assert.deepStrictEqual([yield* ask((raw) => raw.llen(QUEUE)), yield* ask((raw) => raw.llen("sessions"))], [2, 1])
    })
  )
})
