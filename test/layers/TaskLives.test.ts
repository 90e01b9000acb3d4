import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { Redis } from "ioredis"
import * as JournalMemory from "../../src/layers/memory/JournalMemory.ts"
import * as TaskLivesMemory from "../../src/layers/memory/TaskLivesMemory.ts"
import * as TaskQueueMemory from "../../src/layers/memory/TaskQueueMemory.ts"
import { makeLives } from "../../src/layers/memory/lives.ts"
import * as JournalRedis from "../../src/layers/redis/JournalRedis.ts"
import * as TaskLivesRedis from "../../src/layers/redis/TaskLivesRedis.ts"
import { Journal } from "../../src/services/Journal.ts"
import { ALTOGETHER, KEEP, TaskLives } from "../../src/services/TaskLives.ts"
import { intended, submitted } from "../contracts/journal.ts"
import { ended, eventsOf, parked, retried, taskLivesContract } from "../contracts/taskLives.ts"
import { make as makeBudget } from "../../src/layers/memory/budget.ts"
import { budgetRules } from "../simulation/budget.ts"
import { everyRole } from "../roles.ts"
import { commandsAt, describeWith, freshRedis, ownRedis } from "../servers/index.ts"
import { identity, message, settings } from "../support.ts"
import { inMemory, onRedis } from "./queues.ts"

taskLivesContract(
  "lives in this process",
  Effect.map(Layer.build(TaskQueueMemory.MemoryBroker.layer), (broker) => {
    // One journal for all would know what another worker wrote.
    const entries = JournalMemory.makeEntries(
      0,
      makeBudget(budgetRules(null)),
      Context.get(broker, TaskQueueMemory.MemoryBroker).lives
    )
    return (name) =>
      Layer.mergeAll(inMemory, Layer.fresh(JournalMemory.over(entries)), Layer.fresh(TaskLivesMemory.layer)).pipe(
        Layer.provideMerge(identity(name)),
        Layer.provide(Layer.succeedContext(broker)),
        Layer.provide(settings({})),
        Layer.orDie
      )
  })
)

const onServer = (url: string) => (name: string) =>
  Layer.mergeAll(onRedis, Layer.fresh(JournalRedis.layer), Layer.fresh(TaskLivesRedis.layer)).pipe(
    Layer.provideMerge(identity(name)),
    Layer.provide(settings({ CELERY_BROKER_URL: url })),
    Layer.orDie
  )

it("a broker in this process keeps no more of all lives than it may", () => {
  const lives = makeLives(10_000)
  for (let n = 0; n < 200; n++) lives.tell({ taskId: `t${n}`, event: retried("e".repeat(100)) }, n)
  const kept = [...lives.ids()]
  assert.isAbove(kept.length, 20)
  assert.isBelow(kept.length, 50)
  assert.strictEqual(kept.at(-1), "t199")
  lives.tell({ taskId: "later", event: ended }, KEEP * 1000 + 1000)
  assert.deepStrictEqual([...lives.ids()], ["later"])
})

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  taskLivesContract(
    "lives on Redis",
    Effect.map(freshRedis(redis), ({ url }) => onServer(url))
  )

  const livesAnd = Effect.fnUntraced(function* (own?: string) {
    const url = own ?? (yield* freshRedis(redis)).url
    const raw = yield* Effect.acquireRelease(
      Effect.sync(() => new Redis(url)),
      (raw) => Effect.sync(() => raw.disconnect())
    )
    const context = yield* Layer.build(onServer(url)("celery@one"))
    const queue = yield* Effect.provideContext(everyRole, context)
    const ask = <A>(run: (raw: Redis) => Promise<A>) => Effect.promise(() => run(raw))
    const claimed = Effect.map(queue.claim, Option.getOrThrow)
    /** A task that ends and says so. */
    const live = (taskId: string) =>
      Effect.gen(function* () {
        yield* queue.publish([message({ id: taskId })])
        yield* queue.acknowledge(yield* claimed, { told: { taskId, event: ended } })
      })
    return { url, ask, queue, claimed, live, journal: Context.get(context, Journal), lives: Context.get(context, TaskLives) }
  })
  const LIVES = "model-generator.lives"
  const BYTES = `${LIVES}-bytes`

  it.live("a task that tells nothing leaves no key behind, and no step is more than one command", () =>
    Effect.gen(function* () {
      const { ask, claimed, journal, queue, url } = yield* livesAnd((yield* ownRedis).url())
      yield* queue.publish([message({ id: "a" }), message({ id: "b" }), message({ id: "c" }), message({ id: "d" })])
      yield* queue.acknowledge(yield* claimed)
      assert.deepStrictEqual(
        (yield* ask((raw) => raw.keys("*"))).filter((key) => key.startsWith(LIVES)),
        []
      )
      const told = { taskId: "t", event: ended }
      const [b, c, d] = [yield* claimed, yield* claimed, yield* claimed]
      const commands = yield* commandsAt(url)
      yield* queue.hold(b, Date.now(), { told: { taskId: "t", event: parked("rate limit") } })
      yield* queue.retry(c, message({ tag: "next" }), Date.now(), told)
      yield* queue.bury(d, { reason: "r", error: "e" })
      yield* journal.intend("t", intended, Option.none())
      yield* journal.advance("t", submitted)
      yield* journal.close("t")
      assert.lengthOf(yield* commands(), 6)
    })
  )

  it.live("all lives together take no more than they may: the one that has not changed for longest goes first", () =>
    Effect.gen(function* () {
      const { ask, live } = yield* livesAnd()
      for (const id of ["a", "b", "c"]) yield* live(id)
      const each = Number(yield* ask((raw) => raw.get(BYTES))) / 3
      yield* live("a")
      yield* ask((raw) => raw.set(BYTES, ALTOGETHER))
      yield* live("d")
      assert.deepStrictEqual(yield* ask((raw) => raw.zrange(LIVES, "0", "-1")), ["c", "a", "d"])
      assert.sameMembers(
        (yield* ask((raw) => raw.keys(`${LIVES}:*`))).map((key) => key.slice(-1)),
        ["a", "c", "d"]
      )
      assert.isBelow(each, 300)
      assert.isAtMost(Number(yield* ask((raw) => raw.get(BYTES))), ALTOGETHER)
    })
  )

  it.live("the sum of all lives is what they are, also when one has lost its middle", () =>
    Effect.gen(function* () {
      const { ask, claimed, live, queue } = yield* livesAnd()
      yield* queue.publish([message({ id: "long" })])
      for (let n = 0; n < 100; n++) {
        const told = { taskId: "long", event: n % 10 < 5 ? parked("rate limit") : retried(`${n}`) }
        yield* queue.hold(yield* claimed, Date.now() - 1000, { told })
        yield* queue.release
      }
      yield* queue.acknowledge(yield* claimed)
      yield* live("short")
      let sum = 0
      for (const key of yield* ask((raw) => raw.keys(`${LIVES}:*`)))
        for (const text of yield* ask((raw) => raw.lrange(key, 0, -1))) sum += Buffer.byteLength(text) + 64
      assert.strictEqual(Number(yield* ask((raw) => raw.get(BYTES))), sum)
    })
  )

  it.live("a life is kept for a week after its last event, without a time to live, and then removed by whoever tells", () =>
    Effect.gen(function* () {
      const { ask, live, lives } = yield* livesAnd()
      for (const id of ["old", "new"]) yield* live(id)
      for (const key of yield* ask((raw) => raw.keys(`${LIVES}*`))) assert.strictEqual(yield* ask((raw) => raw.ttl(key)), -1, key)
      yield* ask((raw) => raw.zadd(LIVES, Date.now() / 1000 - KEEP - 1, "old"))
      yield* live("next")
      assert.deepStrictEqual(yield* ask((raw) => raw.zrange(LIVES, "0", "-1")), ["new", "next"])
      assert.deepStrictEqual(yield* lives.of("old"), [])
      assert.strictEqual(yield* ask((raw) => raw.exists(`${LIVES}:old`)), 0)
    })
  )

  it.live("whatever lies under its keys, no step is held up by what it tells", () =>
    Effect.gen(function* () {
      const { ask, claimed, live, queue } = yield* livesAnd()
      yield* ask((raw) => raw.set(`${LIVES}:t`, "no list"))
      yield* live("t")
      yield* ask((raw) => raw.set(LIVES, "no set"))
      yield* live("u")
      yield* queue.publish([message({ id: "u" })])
      yield* queue.bury(yield* claimed, { reason: "r", error: "e" })
      assert.lengthOf(yield* queue.deadLetters.list(10), 1)
      assert.deepInclude(yield* queue.status, { unacknowledged: 0 })
    })
  )

  it.live("an event of a newer version is read past and counts as missing", () =>
    Effect.gen(function* () {
      const { ask, live, lives } = yield* livesAnd()
      yield* live("t")
      yield* ask((raw) => raw.rpush(`${LIVES}:t`, '2 3 1.0 2.0 \n{"_tag":"Painted"}'))
      yield* live("t")
      const life = yield* lives.of("t")
      assert.deepStrictEqual(eventsOf(life), [ended, ended])
      assert.strictEqual(life[1]!.missing, 3)
    })
  )

  it.live("a message is found in a deep queue, among large ones and among what is no message", () =>
    Effect.gen(function* () {
      const { ask, queue } = yield* livesAnd()
      const large = (n: number) => JSON.stringify({ body: "x".repeat(1_000_000), headers: { id: `large-${n}` }, properties: {} })
      yield* ask((raw) => raw.lpush("generator_queue", "no json", ...[1, 2, 3, 4, 5, 6].map(large), '{"headers":[]}'))
      for (let from = 0; from < 3000; from += 500)
        yield* queue.publish(Array.from({ length: 500 }, (_, n) => message({ id: `deep-${from + n}` })))
      const { all, found } = yield* queue.find("deep-2999", 5)
      assert.deepStrictEqual([all, found.map(({ where }) => where)], [true, [{ _tag: "Waiting", before: 3007 }]])
      assert.lengthOf((yield* queue.find("large-", 10)).found, 6)
    })
  )

  it.live("a worker that lost its lease is named, as long as it is known", () =>
    Effect.gen(function* () {
      const { ask, lives, queue, url } = yield* livesAnd()
      yield* queue.publish([message({ id: "t" })])
      const dead = yield* Layer.build(onServer(url)("celery@dead"))
      yield* Effect.flatMap(everyRole, ({ claim }) => claim).pipe(Effect.provideContext(dead))
      const boot = (yield* ask((raw) => raw.hvals("model-generator.held")))[0]!
      yield* ask((raw) => raw.hset("model-generator.workers", "celery@dead", JSON.stringify({ name: "celery@dead", boot })))
      yield* ask((raw) => raw.hset("model-generator.workers", "celery@strange", "no json"))
      yield* queue.release
      assert.deepStrictEqual(eventsOf(yield* lives.of("t")), [{ _tag: "Lost", worker: "celery@dead", crash: "alone" }])
    })
  )
})
