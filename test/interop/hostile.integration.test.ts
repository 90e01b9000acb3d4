import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { describeWith } from "../servers/index.ts"
import { eventually, message, timed, uniqueId } from "../support.ts"
import { five } from "./pictures.ts"
import { makeStage, nothing } from "./stage.ts"

const far = (task_id: string) => ({
  task: "health_check",
  args: [],
  kwargs: {},
  options: { task_id, countdown: 1.7e15 },
  subtask_type: null,
  immutable: true
})
const wrong = { ...five, gender: "neither" }

describeWith(["redis", "postgres"], "messages that no worker can bear", ({ postgres, redis }) => {
  it.live(
    "end in words: the worker is the same, its health answers all the while, and the picture in the next slot is saved",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ redis, postgres }, { pictureSeconds: 4 })
        const worker = yield* stage.start({ WORKER_CONCURRENCY: "2" })
        const paid = [uniqueId("paid"), uniqueId("paid")] as const
        yield* stage.push(message({ id: paid[0], task: "generate_model", kwargs: five }))
        yield* eventually("bought", stage.fal.ledger, (ledger) => ledger.length === 1)
        const slow: Array<number> = []
        const watch = yield* Effect.forkChild(
          Effect.forever(
            Effect.gen(function* () {
              const began = performance.now()
              yield* Effect.orDie(worker.health)
              slow.push(performance.now() - began)
              yield* Effect.sleep("20 millis")
            })
          )
        )
        const embed = (options: object) => ({ embed: options as never }) // signatures, as a client sends them
        const [errback, callback] = [uniqueId("errback"), uniqueId("callback")]
        const hostile = {
          errback: message({ task: "generate_model", kwargs: wrong, id: "a", ...embed({ errbacks: [far(errback)] }) }),
          values: message({ task: "batch_generate", kwargs: { templates: Array.from({ length: 3_000_000 }, () => 1) }, id: "b" }),
          bytes: message({ task: "batch_generate", kwargs: { templates: ["x".repeat(14_000_000)] }, id: "c" }),
          callback: message({ task: "health_check", id: "d", ...embed({ callbacks: [far(callback)] }) })
        }
        for (const one of Object.values(hostile)) yield* stage.push(one)
        yield* stage.push(message({ id: paid[1], task: "generate_model", kwargs: { ...five, style: "casual" } }))

        assert.strictEqual((yield* stage.final("a"))?.result["exc_type"], "ValidationError")
        for (const id of ["b", "c"]) assert.strictEqual((yield* stage.final(id))?.status, "FAILURE")
        assert.strictEqual((yield* stage.final("d"))?.status, "SUCCESS")
        for (const id of [errback, callback])
          assert.match(JSON.stringify(yield* stage.final(id)), /countdown: no date is 1700000000000000 seconds from now/)
        for (const id of paid) assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS", id)
        yield* Fiber.interrupt(watch)
        assert.deepStrictEqual([(yield* stage.fal.ledger).length, (yield* stage.models).length], [2, 2])
        assert.deepStrictEqual(yield* stage.left, nothing)
        assert.notInclude(yield* worker.output, "restarting")
        assert.isBelow(Math.max(...slow), 5000) // half of what the container's HEALTHCHECK allows; it took 20 s before there were bounds
      }),
    timed(60_000)
  )
})
