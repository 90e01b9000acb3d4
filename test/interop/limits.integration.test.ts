/**
 * What worker processes on one Redis allow themselves at fal, together; what is in flight is read from the simulator's ledger.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeWith } from "../servers/index.ts"
import { eventually, uniqueId } from "../support.ts"
import { ask, inFlight, paidAndSaved, type Stage } from "./pictures.ts"
import { makeStage } from "./stage.ts"

const metric = (port: number, name: string) =>
  Effect.map(
    Effect.promise(async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
    (text) => Number(new RegExp(`^model_generator_${name} (.*)$`, "m").exec(text)?.[1])
  )
const open = (stage: Stage) => Effect.map(stage.fal.ledger, (rows) => rows.filter(({ endedAt }) => endedAt === null).length)

describeWith(["redis", "postgres"], "worker processes on one Redis", (servers) => {
  it.live(
    "have no more requests in flight together than FAL_MAX_CONCURRENT, one of a killed worker among them",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 1.5, concurrency: 9 })
        const limits = { FAL_MAX_CONCURRENT: "2", WORKER_CONCURRENCY: "3" }
        const victim = yield* stage.start(limits)
        yield* inFlight(stage)
        yield* victim.signal("SIGKILL")
        yield* victim.exited
        // The killed worker's request may have ended at fal: it counts until somebody takes it up.
        assert.strictEqual(yield* Effect.promise(() => stage.raw.broker.zcard("model-generator.in-flight")), 1)
        const one = yield* stage.start({ ...limits, WORKER_NAME: "celery@one" })
        const two = yield* stage.start({ ...limits, WORKER_NAME: "celery@two" })
        const ids = Array.from({ length: 7 }, () => uniqueId("limited"))
        for (const id of ids) yield* stage.push(ask(id))
        assert.strictEqual(yield* metric(one.port, "fal_max_concurrent"), 2)
        let most = 0
        while ((yield* stage.models).length < 8) {
          most = Math.max(most, yield* open(stage))
          yield* Effect.sleep("50 millis")
        }
        assert.isAtMost(most, 2)
        for (const id of ids) assert.strictEqual((yield* stage.final(id))!.status, "SUCCESS")
        yield* paidAndSaved(stage, 8)
        assert.strictEqual(yield* metric(two.port, "fal_in_flight"), 0)
      }),
    90_000
  )

  it.live(
    "pause while the account is locked, say so, and go on by themselves when it is paid",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { locked: true })
        const worker = yield* stage.start()
        const id = uniqueId("locked")
        yield* stage.push(ask(id))
        const told = yield* eventually("it has paused", worker.health, ({ body }) => String(body["why"]).startsWith("paused"))
        assert.match(String(told.body["why"]), /^paused: fal account: fal answered 403: User is locked/)
        assert.strictEqual(yield* metric(worker.port, "consuming"), 0)
        assert.isUndefined(yield* stage.result(id))
        assert.deepInclude(yield* stage.left, { queued: 1, unacked: 0 })
        yield* stage.fal.configure({ locked: false })
        yield* eventually("it has ended", stage.result(id), (document) => document?.status === "SUCCESS", 30)
        assert.strictEqual((yield* worker.health).status, 200)
        assert.isAtLeast(yield* metric(worker.port, 'paused_seconds_total{reason="fal account"}'), 15)
        yield* paidAndSaved(stage, 1)
      }),
    60_000
  )
})
