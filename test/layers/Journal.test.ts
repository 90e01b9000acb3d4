import { assert, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option } from "effect"
import { Redis } from "ioredis"
import * as JournalMemory from "../../src/layers/memory/JournalMemory.ts"
import { make } from "../../src/layers/journal/entries.ts"
import * as Budget from "../../src/layers/journal/money.ts"
import { budgetOf, make as makeBudget } from "../../src/layers/memory/budget.ts"
import * as BudgetRedis from "../../src/layers/redis/BudgetRedis.ts"
import * as JournalRedis from "../../src/layers/redis/JournalRedis.ts"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as BudgetService from "../../src/services/Budget.ts"
import { Journal, KEEP } from "../../src/services/Journal.ts"
import { Metrics } from "../../src/services/Metrics.ts"
import { budgetContract } from "../contracts/budget.ts"
import { generated, intended, journalContract, submitted } from "../contracts/journal.ts"
import { valueOf } from "../contracts/metrics.ts"
import { commandsAt, describeWith, freshRedis, ownRedis } from "../servers/index.ts"
import { eventually, identity, settings, timed } from "../support.ts"

const inMemory = (env: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const rules = yield* Budget.rules
    const money = makeBudget(rules)
    const entries = JournalMemory.makeEntries(Number(env["FAL_MAX_CONCURRENT"] ?? 0), money)
    return { one: make(entries, 300, "celery@one"), two: make(entries, 300, "celery@two"), budget: budgetOf(rules, money) }
  }).pipe(Effect.provide(settings(env)), Effect.orDie)

journalContract("the journal in this process", (env) => Effect.map(inMemory(env), ({ one, two }) => [one, two]))
budgetContract("the budget in this process", inMemory)

const at = (url: string, env = {}) =>
  Layer.fresh(Layer.merge(JournalRedis.layer, BudgetRedis.layer)).pipe(
    Layer.provide([identity(), settings({ CELERY_BROKER_URL: url, ...env })]),
    Layer.orDie
  )

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  journalContract("the journal on Redis", (env) =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const [one, two] = yield* Effect.all([Layer.build(at(url, env)), Layer.build(at(url, env))])
      return [Context.get(one, Journal), Context.get(two, Journal)]
    })
  )
  budgetContract("the budget on Redis", (env) =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const [one, two] = yield* Effect.all([Layer.build(at(url, env)), Layer.build(at(url, env))])
      return { one: Context.get(one, Journal), two: Context.get(two, Journal), budget: Context.get(one, BudgetService.Budget) }
    })
  )

  /** A journal on a Redis of its own, with another way to look at that. */
  const journalAnd = Effect.fnUntraced(function* (env: Readonly<Record<string, string>> = {}, own?: string) {
    const url = own ?? (yield* freshRedis(redis)).url
    const raw = yield* Effect.acquireRelease(
      Effect.sync(() => new Redis(url)),
      (raw) => Effect.sync(() => raw.disconnect())
    )
    const journal = yield* Effect.provideContext(Journal, yield* Layer.build(at(url, env)))
    const ask = <A>(run: (raw: Redis) => Promise<A>) => Effect.promise(() => run(raw))
    return { journal, ask, url }
  })
  const KEPT = "model-generator.journal-kept"
  const key = (id: string) => `model-generator.journal:${id}`

  it.live("another process finds what this one wrote", () =>
    Effect.gen(function* () {
      const { journal, url } = yield* journalAnd()
      yield* journal.intend("t", intended, Option.none())
      yield* journal.advance("t", submitted)
      const { entry } = yield* Effect.flatMap(Journal, ({ find }) => find("t")).pipe(Effect.provide(at(url)))
      assert.deepStrictEqual(entry, Option.some(submitted))
    })
  )

  it.live("each step of a generation is one command, and so is the first one of a request that is taken up again", () =>
    Effect.gen(function* () {
      const { journal, url } = yield* journalAnd({}, (yield* ownRedis).url()) // a monitor hears all that its server does
      const commands = yield* commandsAt(url)
      yield* journal.find("t")
      yield* journal.intend("t", intended, Option.none())
      yield* journal.advance("t", submitted)
      yield* journal.advance("t", generated)
      assert.lengthOf(yield* commands(), 4)
      yield* journal.advance("other", submitted)
      const successor = Context.get(yield* Layer.build(at(url)), Journal)
      yield* commands()
      yield* successor.find("other")
      yield* successor.advance("other", submitted)
      yield* successor.advance("other", generated)
      assert.lengthOf(yield* commands(), 3)
    })
  )

  it.live("nothing it keeps has a time to live, which a server short of memory would take for leave to evict it", () =>
    Effect.gen(function* () {
      const { ask, journal } = yield* journalAnd({ FAL_MAX_CONCURRENT: "1" })
      yield* journal.intend("one", intended, Option.none())
      yield* journal.intend("two", intended, Option.none())
      yield* journal.advance("one", submitted)
      for (const name of yield* ask((raw) => raw.keys("*"))) assert.strictEqual(yield* ask((raw) => raw.ttl(name)), -1, name)
    })
  )

  it.live("an entry is kept for a week from when it was last written, and then removed by whoever writes or counts", () =>
    Effect.gen(function* () {
      const { ask, journal } = yield* journalAnd()
      const over = Effect.fnUntraced(function* (id: string) {
        assert.closeTo(Number(yield* ask((raw) => raw.zscore(KEPT, id))) - Date.now() / 1000, KEEP, 5)
        yield* ask((raw) => raw.zadd(KEPT, Date.now() / 1000 - 1, id))
      })
      for (const id of ["ended", "closed", "ё"]) yield* journal.advance(id, submitted)
      yield* journal.close("closed")
      for (const id of ["ended", "closed", "ё"]) yield* over(id)
      yield* journal.intend("next", intended, Option.none())
      assert.deepStrictEqual(yield* ask((raw) => raw.keys(key("*"))), [key("next")])
      assert.strictEqual(yield* journal.inFlight, 1)
      yield* over("next")
      yield* journal.counts
      assert.deepStrictEqual(yield* ask((raw) => raw.keys(key("*"))), [])
      assert.strictEqual(yield* ask((raw) => raw.zcard(KEPT)), 0)
    })
  )

  it.live("an entry of an older worker, which has a time to live, is gone on from and has none any more", () =>
    Effect.gen(function* () {
      const { ask, journal } = yield* journalAnd()
      const { digest: _, ...old } = submitted
      yield* ask((raw) => raw.setex(key("t"), KEEP, JSON.stringify(old)))
      assert.deepStrictEqual((yield* journal.find("t")).entry, Option.some(old))
      assert.strictEqual(yield* journal.advance("t", { ...generated, digest: "now known" }), "written")
      assert.strictEqual(yield* ask((raw) => raw.ttl(key("t"))), -1)
    })
  )

  it.live("what a newer worker wrote beside what this one knows is read past, and kept", () =>
    Effect.gen(function* () {
      const { ask, journal } = yield* journalAnd()
      const newer = { ...submitted, region: "eu", more: { a: [] } }
      yield* ask((raw) => raw.set(key("t"), JSON.stringify(newer)))
      assert.deepStrictEqual((yield* journal.find("t")).entry, Option.some(submitted))
      assert.strictEqual(yield* journal.advance("t", submitted), "written")
      assert.strictEqual(yield* journal.advance("t", generated), "written")
      const text = (yield* ask((raw) => raw.get(key("t"))))!
      assert.deepInclude(JSON.parse(text), { _tag: "Generated", region: "eu", more: { a: [] } })
    })
  )

  it.live("an entry that cannot be read is never an empty page, and nothing is written over it", () =>
    Effect.gen(function* () {
      const { ask, journal } = yield* journalAnd()
      const broken = Buffer.concat([Buffer.from('{"_tag":"Submitted","requestId": "r-9", "x": "'), Buffer.from([0xff, 0xfe])])
      const cases: ReadonlyArray<readonly [string | Buffer, string | null]> = [
        ["", null],
        ["not json", null],
        ["{}", null],
        ['{"_tag":"Submitted"}', null],
        ['{"_tag":"Delivered","requestId":"r-9"}', "r-9"],
        [broken, "r-9"]
      ]
      for (const [text, requestId] of cases) {
        yield* ask((raw) => raw.set(key("t"), text))
        assert.deepStrictEqual((yield* journal.find("t")).entry, Option.some({ _tag: "Unreadable", requestId }), String(text))
        assert.strictEqual(yield* journal.intend("t", intended, Option.none()), "contended")
        assert.strictEqual(yield* journal.advance("t", submitted), "taken")
        yield* journal.withdraw("t", submitted, Option.none())
        assert.deepStrictEqual(yield* ask((raw) => raw.getBuffer(key("t"))), Buffer.from(text))
      }
      yield* ask((raw) => raw.del(key("t")))
      yield* ask((raw) => raw.lpush(key("t"), "no text at all"))
      assert.deepStrictEqual((yield* journal.find("t")).entry, Option.some({ _tag: "Unreadable", requestId: null }))
    })
  )

  it.live("a request whose worker died counts for as long as its task may run and five minutes more", () =>
    Effect.gen(function* () {
      const { ask, journal } = yield* journalAnd({ FAL_MAX_CONCURRENT: "1", TASK_TIME_LIMIT: "100" })
      const until = Effect.fnUntraced(function* (id: string) {
        return Number(yield* ask((raw) => raw.zscore("model-generator.in-flight", id))) - Date.now() / 1000
      })
      yield* journal.intend("dead", intended, Option.none())
      assert.closeTo(yield* until("dead"), 400, 5)
      yield* journal.advance("long", { ...submitted, timeLimit: 2000 })
      assert.closeTo(yield* until("long"), 2300, 5)
      yield* journal.withdraw("long", { ...submitted, timeLimit: 2000 }, Option.none())
      assert.strictEqual(yield* journal.intend("next", intended, Option.none()), "full")
      yield* ask((raw) => raw.zadd("model-generator.in-flight", Date.now() / 1000 - 1, "dead"))
      assert.strictEqual(yield* journal.inFlight, 0)
      assert.strictEqual(yield* journal.intend("next", intended, Option.none()), "written")
      assert.deepStrictEqual(yield* ask((raw) => raw.zrange("model-generator.line", "0", "-1")), [])
    })
  )
})

describeWith(["redis"], "with a Redis that has a replica", () => {
  const pair = Effect.gen(function* () {
    const [master, replica] = [yield* ownRedis, yield* ownRedis]
    const client = ({ url }: typeof master) =>
      Effect.acquireRelease(
        Effect.sync(() => new Redis(url())),
        (client) => Effect.sync(() => client.disconnect())
      )
    const [atMaster, atReplica] = [yield* client(master), yield* client(replica)]
    yield* Effect.promise(() => atReplica.replicaof(master.host, master.port))
    yield* eventually(
      "replicated",
      Effect.promise(() => atMaster.info("replication")),
      (text) => text.includes("state=online")
    )
    // A replica is online before it has loaded what it was sent, and confirms nothing until then.
    yield* eventually(
      "confirmed",
      Effect.promise(() => atMaster.set("any", "write").then(() => atMaster.wait(1, 500))),
      (replicas) => replicas === 1
    )
    const context = yield* Layer.build(Layer.provideMerge(at(master.url()), Layer.fresh(MetricsMemory.layer)))
    const unconfirmed = Effect.map(Context.get(context, Metrics).expose, ({ body }) =>
      valueOf(body, "journal_unreplicated_total")
    )
    const blocked = Effect.promise(async () => Number(/blocked_clients:(\d+)/.exec(await atMaster.info("clients"))?.[1]))
    return { journal: Context.get(context, Journal), master, replica, atReplica, blocked, unconfirmed }
  })

  it.live(
    "a request id is there before it is told as written, so that a failover finds it",
    () =>
      Effect.gen(function* () {
        const { atReplica, journal, master, replica, unconfirmed } = yield* pair
        for (let n = 0; n < 50; n++) yield* journal.advance(`t${n}`, submitted)
        yield* Effect.promise(() => master.stop("KILL"))
        yield* Effect.promise(() => atReplica.replicaof("no", "one"))
        const promoted = yield* Effect.provideContext(Journal, yield* Layer.build(at(replica.url())))
        for (let n = 0; n < 50; n++)
          assert.deepStrictEqual((yield* promoted.find(`t${n}`)).entry, Option.some(submitted), `t${n}`)
        assert.isUndefined(yield* unconfirmed)
      }),
    timed()
  )

  it.live(
    "whoever waits for it holds up nothing else",
    () =>
      Effect.gen(function* () {
        const { blocked, journal, replica } = yield* pair
        yield* journal.advance("first", submitted)
        process.kill(replica.pid()!, "SIGSTOP")
        const advancing = yield* Effect.forkChild(journal.advance("second", submitted))
        yield* eventually("it waits", blocked, (count) => count === 1, 2)
        yield* journal.inFlight
        assert.isUndefined(advancing.pollUnsafe())
        process.kill(replica.pid()!, "SIGCONT")
        assert.strictEqual(yield* Fiber.join(advancing), "written")
      }),
    timed()
  )

  it.live(
    "one that does not confirm holds up a purchase for half a second, not every purchase, and each is counted",
    () =>
      Effect.gen(function* () {
        const { journal, replica, unconfirmed } = yield* pair
        process.kill(replica.pid()!, "SIGSTOP")
        const before = Date.now()
        for (const id of ["a", "b", "c"]) assert.strictEqual(yield* journal.advance(id, submitted), "written")
        process.kill(replica.pid()!, "SIGCONT")
        assert.isBelow(Date.now() - before, 1500)
        assert.strictEqual(yield* unconfirmed, 3)
      }),
    timed()
  )
})
