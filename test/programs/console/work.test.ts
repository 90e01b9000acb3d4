import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Audit } from "../../../src/services/Audit.ts"
import { DeadLetters } from "../../../src/services/DeadLetters.ts"
import { Fleet } from "../../../src/services/Fleet.ts"
import { Publisher } from "../../../src/services/Publisher.ts"
import { QueueInspector } from "../../../src/services/QueueInspector.ts"
import { TaskQueue } from "../../../src/services/TaskQueue.ts"
import { message } from "../../support.ts"
import { console_ } from "./stage.ts"
import { visitor } from "./visiting.ts"

const EVIL = `"><img src=x onerror="window.hit=1"><script>window.hit=1</script>`

/** So many dead letters, of tasks whose texts are what a browser must not run. */
const bury = Effect.fnUntraced(function* (count: number) {
  const publisher = yield* Publisher
  const taskQueue = yield* TaskQueue
  for (let n = 0; n < count; n++) {
    yield* publisher.publish([message({ id: `dead-${n}-${EVIL}`, task: EVIL })])
    const claimed = Option.getOrThrow(yield* taskQueue.claim)
    yield* taskQueue.bury(claimed, { reason: EVIL, error: EVIL })
  }
})

describe("the pages of work", () => {
  it.live("show the queue, find a task by its id, arguments and caller, and tell its life", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const publisher = yield* Publisher
        yield* publisher.publish([
          message({ id: "task-one", kwargs: { prompt: "a red coat" }, headers: { "x-caller": "shop" } }),
          message({ id: "task-two", priority: 6 }),
          message({ id: EVIL, task: EVIL, kwargs: { prompt: EVIL }, headers: { "x-caller": EVIL } })
        ])
        const { ask, signIn } = yield* visitor
        yield* signIn("vera")
        const found = (query: string) =>
          Effect.map(ask(`/work?q=${encodeURIComponent(query)}`), ({ text }) =>
            [...text.matchAll(/href="\/tasks\/(task-\w+)"/g)].map(([, id]) => id)
          )
        assert.deepStrictEqual(yield* found(""), ["task-one", "task-two"])
        for (const words of ["task-on", "RED coat", "shop"]) assert.deepStrictEqual(yield* found(words), ["task-one"])
        const { text } = yield* ask("/tasks/task-two")
        assert.match(text, /waits in its queue/)
        assert.match(text, /waits in generator_queue/)
        assert.notInclude(text, "Revoke")
        assert.strictEqual((yield* ask("/tasks/task-")).status, 200) // the beginning of several
        assert.strictEqual((yield* ask("/tasks/nothing")).status, 404)
        for (const page of ["/work", `/work?q=${encodeURIComponent(EVIL)}`, `/tasks/${encodeURIComponent(EVIL)}`])
          assert.notMatch((yield* ask(page)).text, /<img src=x|<script>window/)
      }).pipe(Effect.provide(console_()))
    )
  )

  it.live("revoke a task for workers that run and for those that start later, once it is confirmed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const publisher = yield* Publisher
        const fleet = yield* Fleet
        yield* publisher.publish([message({ id: "task-one" })])
        const { ask, post, signIn } = yield* visitor
        yield* signIn("anna")
        assert.strictEqual((yield* post("/tasks/task-one/revoke", { sure: "1" })).status, 403)
        yield* signIn("olga")
        assert.include((yield* ask("/tasks/task-one")).text, "Revoke")
        const asked = yield* post("/tasks/task-one/revoke", {})
        assert.strictEqual(asked.status, 200)
        assert.include(asked.text, "Revoke this task")
        assert.strictEqual((yield* fleet.remembered("ids")).size, 0)
        assert.strictEqual((yield* post("/tasks/task-one/revoke", { sure: "1" })).status, 303)
        assert.deepStrictEqual([...(yield* fleet.remembered("ids")).keys()], ["task-one"])
        const [entry] = yield* (yield* Audit).list(null, 1)
        assert.deepInclude(entry, { who: "olga", action: "revoked a task", subject: "task-one" })
      }).pipe(Effect.provide(console_()))
    )
  )

  it.live("put the chosen dead letters back on their queue, or drop them, once it is confirmed; the others stay", () =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* bury(4)
        const deadLetters = yield* DeadLetters
        const inspector = yield* QueueInspector
        const left = Effect.map(deadLetters.list(10), (letters) => letters.map(({ id }) => id))
        const [newest = "", second = "", ...others] = yield* left
        const { ask, post, signIn } = yield* visitor
        yield* signIn("anna")
        const { text } = yield* ask("/dead")
        assert.notMatch(text, /<img src=x|<script>window|type="checkbox"/)
        assert.strictEqual((yield* post("/dead", { deed: "drop", all: "1", sure: "1" })).status, 403)
        yield* signIn("olga")
        assert.lengthOf([...(yield* ask("/dead")).text.matchAll(/name="id"/g)], 4)
        const asked = yield* post("/dead", { deed: "redrive", id: newest })
        assert.include(asked.text, "Puts one message back on its queue")
        assert.lengthOf(yield* left, 4)
        assert.strictEqual((yield* post("/dead", { deed: "redrive", id: newest, sure: "1" })).status, 303)
        assert.deepStrictEqual(yield* left, [second, ...others])
        assert.lengthOf((yield* inspector.find("", 10)).found, 1)
        yield* post("/dead", { deed: "drop", id: `${second} ${others[0]}`, sure: "1" })
        assert.deepStrictEqual(yield* left, others.slice(1))
        assert.strictEqual((yield* post("/dead", { deed: "drop", id: second, sure: "1" })).status, 400)
        yield* post("/dead", { deed: "drop", all: "1", sure: "1" })
        assert.deepStrictEqual(yield* left, [])
        assert.include((yield* ask("/dead?done=drop")).text, "They are gone for good.")
        const actions = (yield* (yield* Audit).list(null, 4)).map(({ action }) => action)
        assert.deepStrictEqual(actions, [
          "dropped a dead letter",
          "dropped a dead letter",
          "dropped a dead letter",
          "redrove a dead letter"
        ])
      }).pipe(Effect.provide(console_()))
    )
  )
})
