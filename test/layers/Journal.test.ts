import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Redis } from "ioredis"
import * as JournalMemory from "../../src/layers/JournalMemory.ts"
import * as JournalRedis from "../../src/layers/JournalRedis.ts"
import { Journal } from "../../src/services/Journal.ts"
import { intended, journalContract, submitted } from "../contracts/journal.ts"
import { describeWith, freshRedis } from "../servers/index.ts"
import { settings } from "../support.ts"

journalContract("the journal in this process", (env) =>
  Layer.fresh(JournalMemory.layer).pipe(Layer.provide(settings(env)), Layer.orDie)
)

const at = (url: string, env = {}) =>
  Layer.fresh(JournalRedis.layer).pipe(Layer.provide(settings({ CELERY_BROKER_URL: url, ...env })), Layer.orDie)

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  journalContract("the journal on Redis", (env) => Layer.unwrap(Effect.map(freshRedis(redis), ({ url }) => at(url, env))))

  it.live("another process finds what this one wrote, for a week", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      yield* Effect.flatMap(Journal, ({ advance }) =>
        Effect.andThen(
          advance("t", Option.none(), Option.some(intended)),
          advance("t", Option.some(intended), Option.some(submitted))
        )
      ).pipe(Effect.provide(at(url)))
      const found = yield* Effect.flatMap(Journal, ({ find }) => find("t")).pipe(Effect.provide(at(url)))
      assert.deepStrictEqual(found, Option.some(submitted))
      const raw = new Redis(url)
      assert.closeTo(yield* Effect.promise(() => raw.ttl("model-generator.journal:t")), 7 * 86_400, 5)
      raw.disconnect()
    })
  )

  it.live("a request whose worker died counts for as long as its task may run and five minutes more", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = new Redis(url)
      const { advance, intend, inFlight } = yield* Effect.provideContext(
        Journal,
        yield* Layer.build(at(url, { FAL_MAX_CONCURRENT: "1", TASK_TIME_LIMIT: "100" }))
      )
      yield* intend("dead", Option.none(), intended)
      const until = Number(yield* Effect.promise(() => raw.zscore("model-generator.in-flight", "dead")))
      assert.closeTo(until - Date.now() / 1000, 400, 5)
      const long = { ...intended, timeLimit: 2000 }
      yield* advance("long", Option.none(), Option.some(long))
      const longer = Number(yield* Effect.promise(() => raw.zscore("model-generator.in-flight", "long")))
      assert.closeTo(longer - Date.now() / 1000, 2300, 5)
      yield* advance("long", Option.some(long), Option.none())
      assert.strictEqual(yield* intend("next", Option.none(), intended), "full")
      yield* Effect.promise(() => raw.zadd("model-generator.in-flight", Date.now() / 1000 - 1, "dead"))
      assert.strictEqual(yield* inFlight, 0)
      assert.strictEqual(yield* intend("next", Option.none(), intended), "written")
      assert.deepStrictEqual(yield* Effect.promise(() => raw.zrange("model-generator.line", "0", "-1")), [])
      raw.disconnect()
    })
  )

  it.live("an entry that cannot be read is an error, never an empty page: a second purchase would follow", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const raw = new Redis(url)
      const { advance, find } = yield* Effect.provideContext(Journal, yield* Layer.build(at(url)))
      for (const garbage of ["", "not json", "{}", '{"_tag":"Submitted"}']) {
        yield* Effect.promise(() => raw.set("model-generator.journal:t", garbage))
        assert.strictEqual((yield* Effect.flip(find("t")))._tag, "JournalError", garbage)
        assert.isFalse(yield* advance("t", Option.some(intended), Option.some(submitted)))
      }
      raw.disconnect()
    })
  )
})
