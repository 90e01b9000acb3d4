import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { Redis } from "ioredis"
import * as FalLimitsMemory from "../../src/layers/memory/FalLimitsMemory.ts"
import * as FalLimitsRedis from "../../src/layers/redis/FalLimitsRedis.ts"
import { Endpoints } from "../../src/services/Endpoints.ts"
import { falLimitsContract } from "../contracts/falLimits.ts"
import { describeWith, freshRedis } from "../servers/index.ts"
import { settings } from "../support.ts"

falLimitsContract(
  "the limits of a fleet in this process",
  Effect.map(Layer.build(Layer.fresh(FalLimitsMemory.layer)), (limits) => [limits, limits] as const)
)

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  const at = (url: string, env = {}) =>
    Layer.build(Layer.fresh(FalLimitsRedis.layer).pipe(Layer.provide(settings({ CELERY_BROKER_URL: url, ...env })), Layer.orDie))

  falLimitsContract(
    "the limits of a fleet on Redis",
    Effect.flatMap(freshRedis(redis), ({ url }) => Effect.all([at(url), at(url)]))
  )

  it.live("what is kept lies beside the rest of ours, under the prefix given, and goes away by itself", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const limits = yield* at(url, { BROKER_GLOBAL_KEYPREFIX: "east." })
      yield* Effect.gen(function* () {
        yield* (yield* RateLimiter.RateLimiter).consume({ key: "fal", limit: 3, window: "1 minute" })
        yield* (yield* CircuitBreaker.CircuitBreaker).execute(Effect.void, { key: "fal" })
      }).pipe(Effect.provideContext(limits))
      const raw = new Redis(url)
      const keys = yield* Effect.promise(() => raw.keys("*"))
      assert.sameMembers(keys, ["east.model-generator.circuit:fal", "east.model-generator.rate:fal"])
      for (const key of keys) assert.isAbove(yield* Effect.promise(() => raw.ttl(key)), 0)
      raw.disconnect()
    })
  )

  it.live("a refusal after a trial closes an endpoint for twice as long, and a closure of long ago is forgotten", () =>
    Effect.gen(function* () {
      const { url } = yield* freshRedis(redis)
      const endpoints = Context.get(yield* at(url), Endpoints)
      const raw = new Redis(url)
      const key = "model-generator.endpoints"
      /** As if it had been closed so many seconds earlier. */
      const age = (seconds: number) =>
        Effect.promise(async () => {
          const entry = JSON.parse((await raw.hget(key, "edit")) ?? "") as { till: number } // as our script writes it
          await raw.hset(key, "edit", JSON.stringify({ ...entry, till: entry.till - seconds }))
        })
      const seconds = []
      for (let n = 0; n < 6; n++) {
        seconds.push(Math.round((yield* endpoints.refused("edit", "no")).seconds))
        yield* age(400)
        assert.strictEqual((yield* endpoints.admit("edit"))._tag, "Trial")
      }
      assert.deepStrictEqual(seconds, [15, 30, 60, 120, 240, 300])
      yield* age(1000)
      assert.strictEqual((yield* endpoints.admit("edit"))._tag, "Open")
      assert.closeTo((yield* endpoints.refused("edit", "no")).seconds, 15, 1)
      raw.disconnect()
    })
  )
})
