import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Layer, Option, Schema } from "effect"
import { ResultStore, type TaskResult } from "../../src/services/ResultStore.ts"
import * as PythonJson from "../../src/wire/PythonJson.ts"
import { uniqueId } from "../support.ts"

export const aResult = (over: Partial<TaskResult> = {}): TaskResult => ({
  status: "SUCCESS",
  result: { a: 1, ключ: ["значение", null, 1.5, true, { deep: '\u2028 😀 "\\' }] },
  traceback: null,
  children: [[["child", null], null]],
  date_done: "2026-11-23T16:17:15.111000",
  task_id: uniqueId("result"),
  ...over
})
const failed = { status: "FAILURE", result: { exc_type: "ValueError", exc_message: ["no"], exc_module: "builtins" } }
const started = { status: "STARTED", result: { pid: 1, hostname: "w@h" }, date_done: null }
const retrying = { status: "RETRY", result: null, date_done: null }

/** What every result store promises. The layer is built once for each test. */
export const resultStoreContract = (name: string, layer: Layer.Layer<ResultStore>) => {
  const keeps = <A, E>(test: (results: ResultStore["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap(ResultStore, test).pipe(Effect.provide(layer))

  describe(name, () => {
    it.live("what was stored is read back, word for word", () =>
      keeps(
        Effect.fnUntraced(function* (results) {
          for (const stored of [aResult(), aResult({ ...failed, group_id: "g", parent_id: "p" }), aResult(retrying)]) {
            yield* results.store(stored)
            assert.deepStrictEqual(yield* results.get(stored.task_id), Option.some(stored))
          }
          assert.isTrue(Option.isNone(yield* results.get("nobody knows")))
        })
      )
    )

    it.live("a success is overwritten by nothing, not even another one", () =>
      keeps(
        Effect.fnUntraced(function* (results) {
          const first = aResult()
          yield* results.store(first)
          for (const next of [failed, retrying, { status: "REVOKED" }, { result: "another" }]) {
            yield* results.store({ ...first, ...next })
            assert.deepStrictEqual(yield* results.get(first.task_id), Option.some(first))
          }
        })
      )
    )

    it.live("anything else gives way to what comes later", () =>
      keeps(
        Effect.fnUntraced(function* (results) {
          const last = aResult()
          for (const next of [started, retrying, failed, { status: "REVOKED" }, failed, {}]) {
            yield* results.store({ ...last, ...next })
            assert.deepStrictEqual(yield* results.get(last.task_id), Option.some({ ...last, ...next }))
          }
        })
      )
    )

    it.live("what has ended does not start again, nor is it tried again; what has not, does and is", () =>
      keeps(
        Effect.fnUntraced(function* (results) {
          for (const before of [failed, { status: "REVOKED" }, {}]) {
            const ended = aResult(before)
            yield* results.store(ended)
            for (const next of [started, retrying]) {
              yield* results.store({ ...ended, ...next })
              assert.deepStrictEqual(yield* results.get(ended.task_id), Option.some(ended))
            }
          }
          const running = aResult(started)
          for (const next of [retrying, started, failed]) {
            yield* results.store({ ...running, ...next })
            assert.deepStrictEqual(yield* results.get(running.task_id), Option.some({ ...running, ...next }))
          }
        })
      )
    )

    it.live("who waits gets what is there already at once", () =>
      keeps(
        Effect.fnUntraced(function* (results) {
          for (const final of [aResult(), aResult(failed), aResult({ status: "REVOKED" })]) {
            yield* results.store(final)
            assert.deepStrictEqual(yield* results.awaitFinal(final.task_id), final)
          }
        })
      )
    )

    it.live("all who wait are woken by the final document, and by no other", () =>
      keeps(
        Effect.fnUntraced(function* (results) {
          const final = aResult()
          const waiting = yield* Effect.forkChild(
            Effect.all([results.awaitFinal(final.task_id), results.awaitFinal(final.task_id)], { concurrency: 2 })
          )
          yield* Effect.sleep("50 millis") // both have subscribed, or will find the document: either way they must wake
          yield* results.store({ ...final, ...retrying })
          yield* results.store(aResult())
          yield* Effect.sleep("50 millis")
          assert.isUndefined(waiting.pollUnsafe())
          yield* results.store(final)
          // Told of it: who only looked now and then would take longer.
          assert.deepStrictEqual(yield* Fiber.join(waiting).pipe(Effect.timeout("3 seconds")), [final, final])
        })
      )
    )

    it.live("who gives up waiting leaves the others waiting", () =>
      keeps(
        Effect.fnUntraced(function* (results) {
          const final = aResult()
          const patient = yield* Effect.forkChild(results.awaitFinal(final.task_id))
          const impatient = yield* Effect.forkChild(results.awaitFinal(final.task_id))
          yield* Effect.sleep("50 millis")
          yield* Fiber.interrupt(impatient)
          yield* results.store(final)
          assert.deepStrictEqual(yield* Fiber.join(patient), final)
        })
      )
    )

    it.live("a chord is complete when all its parts are in, each counted once, in the order of its header", () =>
      keeps(
        Effect.fnUntraced(function* (results) {
          const group = uniqueId("chord")
          const part = (taskId: string, result: unknown, status = "SUCCESS") => ({ taskId, status, result })
          const add = (index: number | null, one: ReturnType<typeof part>) => results.addChordPart(group, index, one)
          assert.isTrue(Option.isNone(yield* add(2, part("c", { ключ: [1, null] })))) // the size may come after the first parts
          yield* results.setChordSize(group, 4)
          assert.isTrue(Option.isNone(yield* add(null, part("é", "last"))))
          assert.isTrue(Option.isNone(yield* add(0, part("a", failed.result, "FAILURE"))))
          assert.isTrue(Option.isNone(yield* add(0, part("a", "again")))) // anything but a success gives way
          assert.isTrue(Option.isNone(yield* add(2, part("c", "once more")))) // a success does not
          const all = yield* add(1, part("b", failed.result, "FAILURE"))
          const expected = [
            part("a", "again"),
            part("b", failed.result, "FAILURE"),
            part("c", { ключ: [1, null] }),
            part("é", "last")
          ]
          assert.deepStrictEqual(all, Option.some(expected))
          assert.deepStrictEqual(yield* add(2, part("c", "late")), Option.some(expected)) // who comes late can finish what was begun
          yield* results.dropChord(group)
          assert.isTrue(Option.isNone(yield* add(0, part("a", 1))))
        })
      )
    )

    it.live("a group is read back with its members, and theirs", () =>
      keeps(
        Effect.fnUntraced(function* (results) {
          const id = uniqueId("group")
          const leaf = (name: string) => ({ id: name, parent: null, children: null })
          yield* results.saveGroup(id, ["a", "b"])
          assert.deepStrictEqual(
            yield* results.loadGroup(id),
            Option.some({ id, parent: null, children: [leaf("a"), leaf("b")] })
          )
          const tree = { id, parent: leaf("p"), children: [leaf("a"), { id: "g", parent: leaf("q"), children: [leaf("b")] }] }
          yield* results.saveGroupTree(tree)
          assert.deepStrictEqual(yield* results.loadGroup(id), Option.some(tree))
          assert.isTrue(Option.isNone(yield* results.loadGroup("nobody knows")))
        })
      )
    )

    it.live("it says that it is there", () => keeps((results) => results.ping))

    it.live.prop(
      "any JSON value survives",
      { result: Schema.Json },
      ({ result }) =>
        keeps(
          Effect.fnUntraced(function* (results) {
            const stored = aResult({ result: JSON.parse(JSON.stringify(result)) as Schema.Json }) // JSON has no -0
            yield* results.store(stored)
            const found = Option.getOrThrow(yield* results.get(stored.task_id))
            assert.strictEqual(PythonJson.stringify(found.result), PythonJson.stringify(stored.result)) // an integer past 2^53 comes back as a bigint
          })
        ),
      { arbitrary: { runs: 25 } }
    )
  })
}
