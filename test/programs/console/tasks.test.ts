import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import * as AtFal from "../../../src/programs/console/AtFal.ts"
import { Audit } from "../../../src/services/Audit.ts"
import { Fleet } from "../../../src/services/Fleet.ts"
import { Generator, GeneratorError, type Progress, Unreachable } from "../../../src/services/Generator.ts"
import { Journal } from "../../../src/services/Journal.ts"
import { Publisher } from "../../../src/services/Publisher.ts"
import { QueueInspector } from "../../../src/services/QueueInspector.ts"
import { ResultStore } from "../../../src/services/ResultStore.ts"
import { TaskQueue } from "../../../src/services/TaskQueue.ts"
import { intended, submitted } from "../../contracts/journal.ts"
import { ended } from "../../contracts/taskLives.ts"
import { message } from "../../support.ts"
import { console_ } from "./stage.ts"
import { visitor } from "./visiting.ts"

describe("a running task", () => {
  it.effect("is shown with its place in fal's queue, which fal is asked for once by all who look", () =>
    Effect.gen(function* () {
      let asked = 0
      let says: Progress | undefined = { _tag: "Queued", position: 3 }
      const world = Layer.mergeAll(
        Layer.mock(Journal, {
          find: (taskId) =>
            Effect.succeed({
              now: 0,
              entry: taskId === "pays" ? Option.some(submitted) : taskId === "asks" ? Option.some(intended) : Option.none()
            })
        }),
        Layer.mock(Generator, {
          progress: () =>
            Effect.suspend(() => {
              asked++
              return says === undefined
                ? Effect.fail(new GeneratorError({ reason: new Unreachable({ detail: "away" }) }))
                : Effect.succeed(says)
            })
        })
      )
      yield* Effect.gen(function* () {
        const { of } = yield* AtFal.AtFal
        const words = Effect.map(of(["pays", "asks", "free"]), (states) => [...states.values()])
        assert.deepStrictEqual(yield* words, ["3 before it in fal's queue", "about to ask fal, or fal's answer is lost", ""])
        yield* words
        assert.strictEqual(asked, 1)
        for (const [next, shown] of [
          [{ _tag: "Queued", position: 0 }, "the next in fal's queue"],
          [{ _tag: "Running" }, "fal works on it"],
          [undefined, "fal has accepted it"]
        ] as const) {
          yield* TestClock.adjust("3 seconds")
          says = next
          assert.strictEqual((yield* words)[0], shown)
        }
        // Of a large fleet only some are asked about.
        assert.strictEqual((yield* of(Array.from({ length: 500 }, (_, n) => `free-${n}`))).size, 20)
      }).pipe(Effect.provide(AtFal.layer.pipe(Layer.provide(world))))
    })
  )

  it.live("stands with its worker, and one that has ended with how it ended", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const publisher = yield* Publisher
        const taskQueue = yield* TaskQueue
        yield* publisher.publish(["runs", "went-well", "failed"].map((id) => message({ id, task: "generate_model" })))
        const [, well, bad] = [yield* taskQueue.claim, yield* taskQueue.claim, yield* taskQueue.claim].map(Option.getOrThrow)
        yield* taskQueue.acknowledge(well!, { told: { taskId: "went-well", event: ended } })
        yield* taskQueue.acknowledge(bad!, {
          told: {
            taskId: "failed",
            event: { ...ended, task: "generate_model", status: "FAILURE", why: "no <b>money</b>" } as typeof ended
          }
        })
        const { ask, signIn } = yield* visitor
        yield* signIn("vera")
        const { text } = yield* ask("/work")
        const part = (from: string, to: string) => text.slice(text.indexOf(from), text.indexOf(to, text.indexOf(from)))
        assert.include(part("<h2>Running", "<h2>Tasks"), "/tasks/runs")
        const ends = part("<h2>Ended", "</main>")
        assert.isBelow(ends.indexOf("/tasks/failed"), ends.indexOf("/tasks/went-well"))
        assert.include(ends, "no &lt;b&gt;money")
        const failed = (yield* ask("/work?ended=failed")).text
        assert.include(failed, "/tasks/failed")
        assert.notInclude(failed, "/tasks/went-well")
      }).pipe(Effect.provide(console_()))
    )
  )
})

describe("an operator", () => {
  it.live("revokes the chosen tasks, or all that match, once the number is confirmed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const publisher = yield* Publisher
        const fleet = yield* Fleet
        const some = (caller: string, from: number, to: number) =>
          publisher.publish(
            Array.from({ length: to - from }, (_, n) => message({ id: `${caller}-${from + n}`, headers: { "x-caller": caller } }))
          )
        yield* some("shop", 0, 3)
        yield* some("other", 0, 2)
        const revoked = Effect.map(fleet.remembered("ids"), (ids) => [...ids.keys()].toSorted())
        const { ask, post, signIn } = yield* visitor
        yield* signIn("anna")
        assert.notInclude((yield* ask("/work")).text, 'type="checkbox"')
        assert.strictEqual((yield* post("/work", { deed: "revoke", all: "1", sure: "1", count: "9" })).status, 403)
        yield* signIn("olga")
        assert.include((yield* ask("/work?q=shop")).text.replaceAll(/\s+/g, " "), "all 3 that match")
        const asked = yield* post("/work", { deed: "revoke", all: "1", q: "shop" })
        assert.include(asked.text, "Revoke 3 tasks")
        assert.deepStrictEqual(yield* revoked, [])
        // More have come than were confirmed.
        yield* some("shop", 3, 4)
        assert.include((yield* post("/work", { all: "1", q: "shop", count: "3", sure: "1" })).text, "Revoke 4 tasks")
        assert.deepStrictEqual(yield* revoked, [])
        assert.strictEqual((yield* post("/work", { all: "1", q: "shop", count: "4", sure: "1" })).status, 303)
        assert.deepStrictEqual(yield* revoked, ["shop-0", "shop-1", "shop-2", "shop-3"])
        yield* post("/work", { id: "other-1 gone", q: "", count: "1", sure: "1" })
        assert.deepStrictEqual((yield* revoked)[0], "other-1")
        assert.strictEqual((yield* post("/work", { id: "gone", sure: "1", count: "1" })).status, 400)
        const [one, many] = yield* (yield* Audit).list(null, 2)
        assert.deepInclude(one, { who: "olga", action: "revoked a task", subject: "other-1" })
        assert.deepInclude(many, { action: "revoked tasks" })
        assert.strictEqual(many!.detail["count"], 4)
      }).pipe(Effect.provide(console_()))
    )
  )

  it.live("asks once more for a task that has failed, where its result says what it asked for, and is told what that costs", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { store } = yield* ResultStore
        const inspector = yield* QueueInspector
        const failed = { status: "FAILURE", result: null, traceback: null, children: null, date_done: "2026-11-27T10:00:00" }
        yield* store({ ...failed, task_id: "silent" })
        yield* store({ ...failed, task_id: "told", name: "app.tasks.edit_model", args: [], kwargs: { prompt: "a coat" } })
        yield* store({ ...failed, task_id: "fine", status: "SUCCESS", name: "health_check", args: [], kwargs: {} })
        const { ask, post, signIn } = yield* visitor
        yield* signIn("anna")
        assert.notInclude((yield* ask("/tasks/told")).text, "once more")
        assert.strictEqual((yield* post("/tasks/told/retry", { sure: "1" })).status, 403)
        yield* signIn("olga")
        assert.include((yield* ask("/tasks/told")).text, "Ask for it once more")
        for (const id of ["silent", "fine"]) {
          assert.notInclude((yield* ask(`/tasks/${id}`)).text, "once more")
          assert.strictEqual((yield* post(`/tasks/${id}/retry`, { sure: "1" })).status, 409)
        }
        const asked = yield* post("/tasks/told/retry", {})
        assert.include(asked.text, "One picture, for about $0.03 by the list price.")
        assert.isEmpty((yield* inspector.find("", 10)).found)
        const answers = [yield* post("/tasks/told/retry", { sure: "1" }), yield* post("/tasks/told/retry", { sure: "1" })]
        const { found } = yield* inspector.find("", 10)
        assert.lengthOf(found, 1)
        assert.deepInclude(found[0]!.outline["headers"], { task: "app.tasks.edit_model", "x-caller": "console" })
        for (const { headers } of answers) assert.strictEqual(headers.get("location"), `/tasks/${found[0]!.taskId}?retried=`)
        const [entry] = yield* (yield* Audit).list(null, 1)
        assert.deepInclude(entry, { who: "olga", action: "asked for a task again", subject: "told" })
      }).pipe(Effect.provide(console_()))
    )
  )
})
