import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeWith, ownRedis } from "../servers/index.ts"
import { eventually, message, timed, uniqueId } from "../support.ts"
import { makeStage, nothing } from "./stage.ts"

describeWith(["redis", "postgres"], "Redis in trouble", ({ postgres }) => {
  it.live(
    "restarted, its connections killed, or frozen: the worker consumes again within 5 s and nothing is left behind or blamed",
    () =>
      Effect.gen(function* () {
        const redis = yield* ownRedis
        const stage = yield* makeStage({ redis, postgres })
        const worker = yield* stage.start()
        const push = Effect.gen(function* () {
          const id = uniqueId("outage")
          yield* stage.push(message({ id }))
          return id
        })
        const faults = {
          restarted: Effect.promise(async () => {
            await redis.stop("TERM")
            await new Promise((resolve) => setTimeout(resolve, 3000)) // an outage takes its time
            await redis.start()
          }),
          "its connections killed": Effect.promise(() =>
            stage.raw.broker.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
          ),
          frozen: Effect.promise(async () => {
            process.kill(redis.pid(), "SIGSTOP")
            await new Promise((resolve) => setTimeout(resolve, 8000)) // longer than a command waits
            process.kill(redis.pid(), "SIGCONT")
          })
        }
        for (const [fault, cause] of Object.entries(faults)) {
          yield* stage.final(yield* push)
          yield* cause
          const since = Date.now()
          const ids = yield* Effect.forEach([1, 2, 3], () => push)
          for (const id of ids) assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
          assert.isBelow(Date.now() - since, 5000, fault)
        }
        yield* eventually("nothing is left", stage.left, (left) => JSON.stringify(left) === JSON.stringify(nothing))
        assert.strictEqual((yield* worker.health).status, 200)
        const log = yield* worker.output
        assert.notInclude(log, "crashed")
        assert.notInclude(log, "dead worker held")
      }),
    timed(90_000)
  )

  it.live(
    "gone for good: the worker says within 30 s that it does not consume, and lives",
    () =>
      Effect.gen(function* () {
        const redis = yield* ownRedis
        const stage = yield* makeStage({ redis, postgres })
        const worker = yield* stage.start()
        yield* eventually("it consumes", worker.health, ({ status }) => status === 200)
        yield* Effect.promise(() => redis.stop("KILL"))
        const since = Date.now()
        const health = yield* eventually("unhealthy", Effect.delay(worker.health, "500 millis"), ({ status }) => status === 503)
        assert.isBelow(Date.now() - since, 31_000)
        assert.match(String(health.body["why"]), /broker|queue/)
        // The worker tries twice a second, and says so once.
        assert.lengthOf((yield* worker.output).match(/"message":"the queue cannot be reached"/g) ?? [], 1)
      }),
    timed(60_000)
  )
})
