import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { iso } from "../../src/programs/celery/Time.ts"
import { describeWith } from "../servers/index.ts"
import { eventually, message, uniqueId } from "../support.ts"
import { startStock } from "./celeryCommand.ts"
import { ask } from "./pictures.ts"
import { makeStage, nothing } from "./stage.ts"

/** Of both kinds of worker, in seconds; an ETA and an uncertain submit's grace are as long. */
const VISIBILITY = 10

describeWith(["redis", "postgres", "celery53"], "rollback to stock Celery", (servers) => {
  it.live(
    "both of ours are killed in the middle of a backlog, with tasks for later and retries pending: a stock worker ends every task",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 1 })
        const visibility = { VISIBILITY_TIMEOUT: String(VISIBILITY), FAL_UNCERTAIN_GRACE: String(VISIBILITY) }
        const ours = yield* Effect.forEach(["celery@one", "celery@two"], (name) =>
          stage.start({ WORKER_NAME: name, ...visibility })
        )
        // The first two submits lose their answers, and their tasks wait.
        yield* stage.fal.setFaults({ route: "submit", kind: "accept-then-reset", times: 2 })
        const now = Array.from({ length: 16 }, () => uniqueId("now"))
        const later = Array.from({ length: 4 }, () => uniqueId("later"))
        for (const id of later) {
          yield* stage.push(message({ id, task: "generate_model", eta: iso(Date.now() + VISIBILITY * 1000) }))
        }
        for (const id of now) yield* stage.push(ask(id))
        yield* eventually(
          "one is done, two are held, six wait for their time, the rest is queued",
          Effect.all({
            done: Effect.map(Effect.forEach(now, stage.result), (all) => all.filter((one) => one?.status === "SUCCESS").length),
            scheduled: Effect.promise(() => stage.raw.broker.zcard("model-generator.scheduled")),
            left: stage.left
          }),
          ({ done, left, scheduled }) => done > 0 && scheduled === 6 && left.unacked === 8 && left.queued > 2
        )
        for (const worker of ours) yield* worker.signal("SIGKILL")
        for (const worker of ours) yield* worker.exited
        const paid = (yield* stage.fal.ledger).length

        yield* Effect.sleep(`${VISIBILITY + 1} seconds`) // a stock worker restores when it starts, and then every 100 s
        const stock = yield* startStock(servers.celery53.python, stage, { VISIBILITY: String(VISIBILITY) })
        const results = yield* Effect.forEach([...now, ...later], stage.final)
        assert.deepStrictEqual(
          results.filter((one) => one?.status !== "SUCCESS"),
          []
        )
        const byStock = results.filter((one) => one?.result["by"] === "stock").length
        assert.isAtLeast(byStock, 10)
        assert.isBelow(byStock, 20)
        yield* eventually("nothing is left", stage.left, ({ queued, unacked }) => queued + unacked === 0)
        yield* Effect.sync(() => process.kill(stock.pid, "SIGTERM"))
        yield* stock.ended

        // And forward again: what ours remembers of these tasks brings none of them back.
        yield* stage.start({ WORKER_NAME: "celery@one", ...visibility })
        yield* eventually(
          "it forgets what the stock worker has done",
          Effect.promise(() => stage.raw.broker.exists("model-generator.held", "model-generator.scheduled")),
          (keys) => keys === 0,
          40 // the lease of the other one must run out first
        )
        assert.deepStrictEqual(yield* stage.left, nothing)
        assert.strictEqual((yield* stage.fal.ledger).length, paid)
      }),
    180_000
  )
})
