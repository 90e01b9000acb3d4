import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, type Scope } from "effect"
import { Journal } from "../../src/services/Journal.ts"
import { FIRST, LAST, type LifeEvent, type Lived, LONGEST, TaskLives } from "../../src/services/TaskLives.ts"
import type { WorkerIdentity } from "../../src/services/WorkerIdentity.ts"
import { everyRole, type Role } from "../roles.ts"
import { message } from "../support.ts"
import { generated, intended, submitted } from "./journal.ts"

type Parts = Role | Journal | TaskLives | WorkerIdentity
/** A worker of this name over one broker, which is empty at the start of each test. */
export type Worker = (name: string) => Layer.Layer<Parts>

const attempt = { by: "celery@one", heldMs: 5 }
export const parked = (reason: string): LifeEvent => ({ _tag: "Parked", ...attempt, reason, detail: "", seconds: 1 })
export const retried = (error: string): LifeEvent => ({
  _tag: "Retried",
  ...attempt,
  reason: "fal busy",
  error,
  seconds: 1,
  counted: true
})
export const ended: LifeEvent = { _tag: "Ended", ...attempt, waitedMs: 10, status: "SUCCESS" }
export const eventsOf = (life: ReadonlyArray<Lived>) => life.map(({ event }) => event)

/** What is kept of tasks' lives, whatever keeps them. */
export const taskLivesContract = (name: string, fleet: Effect.Effect<Worker, never, Scope.Scope>) => {
  const at = (worker: Worker, name: string) =>
    Effect.gen(function* () {
      const context = yield* Layer.build(worker(name))
      return {
        queue: yield* Effect.provideContext(everyRole, context),
        journal: Context.get(context, Journal),
        lives: Context.get(context, TaskLives)
      }
    })
  const alone = Effect.flatMap(fleet, (worker) => at(worker, "celery@one"))
  const one = { by: "celery@one" }

  describe(name, () => {
    it.live("a step tells what it does, in the order of the steps, under the worker's name, or nothing at all", () =>
      Effect.gen(function* () {
        const { journal, lives, queue } = yield* alone
        yield* queue.publish([message({ id: "t" }), message({ id: "quiet" })])
        const delivery = Option.getOrThrow(yield* queue.claim)
        yield* journal.intend("t", intended, Option.none())
        yield* journal.advance("t", submitted)
        yield* journal.advance("t", { ...generated, inferenceMs: 1500 } as typeof generated)
        const quiet = Option.getOrThrow(yield* queue.acknowledge(delivery, { told: { taskId: "t", event: ended }, next: true }))
        yield* queue.acknowledge(quiet)
        const life = yield* lives.of("t")
        assert.deepStrictEqual(eventsOf(life), [
          { _tag: "Intended", ...one, endpoint: "fal-ai/flux/dev", resubmits: 0 },
          { _tag: "Submitted", ...one, requestId: "r-1" },
          { _tag: "PictureMade", ...one, requestId: "r-1", tookMs: 2000, inferenceMs: 1500, flagged: false },
          ended
        ])
        for (const { from, missing, times, to } of life) {
          assert.closeTo(from, Date.now(), 60_000)
          assert.deepStrictEqual([from, missing, times], [to, 0, 1])
        }
        assert.deepStrictEqual(yield* lives.of("quiet"), [])
      })
    )

    it.live("the tasks to which something has happened last are found, the newest first, with what that was", () =>
      Effect.gen(function* () {
        const { journal, lives } = yield* alone
        assert.deepStrictEqual(yield* lives.recent(10), [])
        for (const id of ["a", "b", "c"]) yield* journal.intend(id, intended, Option.none())
        yield* journal.advance("a", submitted)
        const recent = yield* lives.recent(2)
        assert.deepStrictEqual(
          recent.map(({ last, taskId }) => [taskId, last.event._tag]),
          [
            ["a", "Submitted"],
            ["c", "Intended"]
          ]
        )
        assert.closeTo(recent[0]!.last.to, Date.now(), 60_000)
      })
    )

    it.live("a step that is not made tells nothing", () =>
      Effect.gen(function* () {
        const { journal, lives, queue } = yield* alone
        yield* queue.publish([message({ id: "t" })])
        const delivery = Option.getOrThrow(yield* queue.claim)
        yield* queue.acknowledge(delivery)
        const told = { taskId: "t", event: ended }
        yield* queue.acknowledge(delivery, { told })
        yield* queue.hold(delivery, 0, { told })
        yield* queue.handBack(delivery, { crashed: false, told })
        yield* queue.retry(delivery, message({ id: "t", tag: "next" }), 0, told)
        yield* queue.bury(delivery, { reason: "too late", error: "" })
        yield* journal.close("t")
        yield* journal.withdraw("t", intended, Option.none())
        assert.deepStrictEqual(yield* lives.of("t"), [])
      })
    )

    it.live("a request that another worker goes on with, that costs nothing after all, or that ends without a picture", () =>
      Effect.gen(function* () {
        const worker = yield* fleet
        const [first, second] = [yield* at(worker, "celery@one"), yield* at(worker, "celery@two")]
        yield* first.journal.intend("t", intended, Option.none())
        yield* first.journal.advance("t", submitted)
        yield* first.journal.advance("t", submitted) // as before it is handed back: known to this worker
        yield* second.journal.find("t")
        yield* second.journal.advance("t", submitted)
        yield* second.journal.advance("t", { ...submitted, unknownSince: 1 })
        yield* second.journal.close("t")
        yield* second.journal.close("t")
        yield* first.journal.intend("u", intended, Option.none())
        yield* first.journal.withdraw("u", intended, Option.none())
        const two = { by: "celery@two" }
        assert.deepStrictEqual(eventsOf(yield* second.lives.of("t")).slice(1), [
          { _tag: "Submitted", ...one, requestId: "r-1" },
          { _tag: "Resumed", ...two, requestId: "r-1" },
          { _tag: "Unknown", ...two, requestId: "r-1" },
          { _tag: "Closed", ...two }
        ])
        assert.deepStrictEqual(eventsOf(yield* second.lives.of("u")).slice(1), [{ _tag: "Withdrawn", ...one }])
      })
    )

    it.live("waits for one reason in a row are counted, with the first and the last time", () =>
      Effect.gen(function* () {
        const { lives, queue } = yield* alone
        yield* queue.publish([message({ id: "t" })])
        for (const reason of ["no room at fal", "no room at fal", "no room at fal", "rate limit", "no room at fal"]) {
          const delivery = Option.getOrThrow(yield* queue.claim)
          yield* queue.hold(delivery, Date.now() - 1000, { told: { taskId: "t", event: parked(reason) } })
          yield* queue.release
        }
        const life = yield* lives.of("t")
        assert.deepStrictEqual(
          life.map(({ event, missing, times }) => ["reason" in event && event.reason, times, missing]),
          [
            ["no room at fal", 3, 0],
            ["rate limit", 1, 0],
            ["no room at fal", 1, 0]
          ]
        )
        assert.isAbove(life[0]!.to, life[0]!.from)
      })
    )

    it.live("a task that is retried a thousand times keeps its first and its last events, and how many are left out", () =>
      Effect.gen(function* () {
        const { lives, queue } = yield* alone
        yield* queue.publish([message({ id: "t" })])
        for (let n = 1; n <= 1000; n++) {
          const delivery = Option.getOrThrow(yield* queue.claim)
          const told = { taskId: "t", event: retried(`no ${n}`) }
          yield* queue.retry(delivery, message({ id: "t", tag: `retry ${n}` }), Date.now() - 1000, told)
          yield* queue.release
        }
        const life = yield* lives.of("t")
        const errors = life.map(({ event }) => "error" in event && event.error)
        assert.lengthOf(life, FIRST + LAST)
        assert.deepStrictEqual(
          [errors[0], errors[FIRST - 1], errors[FIRST], errors.at(-1)],
          ["no 1", `no ${FIRST}`, `no ${1000 - LAST + 1}`, "no 1000"]
        )
        assert.deepStrictEqual(
          life.flatMap(({ missing }, n) => (missing === 0 ? [] : [[n, missing]])),
          [[FIRST, 1000 - FIRST - LAST]]
        )
      })
    )

    it.live("long words are cut, whatever they are made of, and nothing that is told can be taken for another event", () =>
      Effect.gen(function* () {
        const { lives, queue } = yield* alone
        const words = ["ё".repeat(5000), "\u0000\n\u001b".repeat(5000), "\ud83d\ude00".repeat(5000), "9 9 9 9 x\n{}"]
        for (const [n, error] of words.entries()) {
          yield* queue.publish([message({ id: `t${n}` })])
          const delivery = Option.getOrThrow(yield* queue.claim)
          yield* queue.retry(delivery, message({ tag: `n${n}` }), Date.now() + 60_000, { taskId: `t${n}`, event: retried(error) })
          const [kept, ...more] = eventsOf(yield* lives.of(`t${n}`))
          assert.isEmpty(more)
          assert.isAtMost(Buffer.byteLength(JSON.stringify(kept)), LONGEST)
          if (kept?._tag !== "Retried") assert.fail(`${n} is ${JSON.stringify(kept)}`)
          assert.isTrue(kept.error.isWellFormed())
          assert.strictEqual(kept.error.slice(0, 50), error.slice(0, 50))
        }
      })
    )

    it.live("a message whose worker is gone says which worker that was, and whether it was alone", () =>
      Effect.gen(function* () {
        const worker = yield* fleet
        const [dead, heir] = [yield* at(worker, "celery@dead"), yield* at(worker, "celery@heir")]
        const lostWith = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
          yield* dead.queue.publish(ids.map((id) => message({ id })))
          yield* Effect.forEach(ids, () => dead.queue.claim)
          yield* heir.queue.release // a worker that never had a lease counts as dead
          yield* Effect.forEach(ids, () =>
            Effect.flatMap(heir.queue.claim, (one) => heir.queue.acknowledge(Option.getOrThrow(one)))
          )
          return (yield* Effect.forEach(ids, heir.lives.of)).flatMap(eventsOf)
        })
        assert.deepStrictEqual(yield* lostWith(["a"]), [{ _tag: "Lost", worker: null, crash: "alone" }])
        assert.deepStrictEqual(yield* lostWith(["b", "c"]), [
          { _tag: "Lost", worker: null, crash: "company" },
          { _tag: "Lost", worker: null, crash: "company" }
        ])
      })
    )

    it.live("a dead letter, put back and dropped", () =>
      Effect.gen(function* () {
        const { lives, queue } = yield* alone
        yield* queue.publish([message({ id: "t" })])
        const bury = Effect.gen(function* () {
          yield* queue.bury(Option.getOrThrow(yield* queue.claim), { reason: "crashed its worker", error: "three times" })
          return (yield* queue.deadLetters.list(1))[0]!
        })
        yield* queue.deadLetters.redrive(yield* bury)
        yield* queue.deadLetters.drop(yield* bury)
        const buried: LifeEvent = { _tag: "Buried", ...one, reason: "crashed its worker", error: "three times" }
        assert.deepStrictEqual(eventsOf(yield* lives.of("t")), [buried, { _tag: "Redriven" }, buried, { _tag: "Dropped" }])
      })
    )

    it.live("tasks are found by the beginning of their id, at most so many", () =>
      Effect.gen(function* () {
        const { lives, queue } = yield* alone
        const ids = ["ab1", "ab2", "ab3", "b*1", "b-1"]
        for (const taskId of ids) {
          yield* queue.publish([message({ id: taskId })])
          yield* queue.acknowledge(Option.getOrThrow(yield* queue.claim), { told: { taskId, event: ended } })
        }
        assert.sameMembers([...(yield* lives.beginning("ab", 10))], ["ab1", "ab2", "ab3"])
        assert.lengthOf(yield* lives.beginning("", 4), 4)
        assert.deepStrictEqual(yield* lives.beginning("b*", 10), ["b*1"])
        assert.deepStrictEqual(yield* lives.beginning("c", 10), [])
      })
    )
  })
}
