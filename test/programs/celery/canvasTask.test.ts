import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as PythonJson from "../../../src/wire/PythonJson.ts"
import { message, uniqueId } from "../../support.ts"
import { empty, makeWorld } from "../world.ts"

const signature = (task: string, options: object = {}, over: object = {}) => ({
  task,
  args: [],
  kwargs: {},
  options,
  subtask_type: null,
  immutable: true,
  ...over
})
const health = (task_id: string, options: object = {}) => signature("health_check", { task_id, ...options })
/** A body that hands back what it was given. */
const collect = (task_id: string, options: object = {}) =>
  signature("celery.accumulate", { task_id, ...options }, { immutable: false, kwargs: { index: 0 } })
const world = Effect.gen(function* () {
  const all = yield* makeWorld
  yield* all.start()
  return all
})
const wrong = { surprise: 1 }

describe("a chord of our tasks", () => {
  it.effect("sends its body the results once, in the order of its header, though every header task is delivered twice", () =>
    Effect.gen(function* () {
      const { counts, pushRaw, result, results, seconds } = yield* world
      const [group, body] = [uniqueId("chord"), uniqueId("body")]
      yield* results.setChordSize(group, 3)
      for (const index of [2, 0, 1]) {
        const member = message({
          id: `${group}-${index}`,
          task: "celery.accumulate",
          args: [`result ${index}`],
          kwargs: { index: 0 },
          group,
          groupIndex: index,
          embed: { chord: collect(body) }
        })
        yield* pushRaw(member.raw)
        yield* pushRaw(member.raw)
      }
      yield* seconds(5)
      assert.deepInclude(yield* result(body), { status: "SUCCESS", result: ["result 0", "result 1", "result 2"] })
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("waits for all of a nested header, though a stock worker took the size of a group in it for its own", () =>
    Effect.gen(function* () {
      const { pushRaw, result, results, seconds } = yield* world
      const [group, body] = [uniqueId("chord"), uniqueId("body")]
      const leaf = (name: string) => ({ id: `${group}-${name}`, parent: null, children: null })
      const inner = { id: group, parent: null, children: [leaf("a"), leaf("b")] }
      yield* results.saveGroupTree({ id: group, parent: null, children: [inner, leaf("c")] })
      yield* results.setChordSize(group, 2)
      const end = (name: string, groupIndex: number) =>
        Effect.andThen(
          pushRaw(
            message({
              id: `${group}-${name}`,
              task: "celery.accumulate",
              args: [name],
              kwargs: { index: 0 },
              group,
              groupIndex,
              embed: { chord: collect(body) }
            }).raw
          ),
          seconds(5)
        )
      yield* end("c", 1)
      yield* end("a", 0)
      assert.isUndefined(yield* result(body))
      yield* end("b", 1)
      assert.deepInclude(yield* result(body), { status: "SUCCESS", result: [["a", "b"], "c"] })
    })
  )

  it.effect("counts a header task whose worker died between its result and its part", () =>
    Effect.gen(function* () {
      const { pushRaw, result, results, seconds, start } = yield* makeWorld
      const [group, body, id] = [uniqueId("chord"), uniqueId("body"), uniqueId()]
      yield* results.setChordSize(group, 1)
      yield* results.store({ task_id: id, status: "SUCCESS", result: 7, traceback: null, children: [], date_done: null })
      const { raw } = message({ id, group, groupIndex: 0, embed: { chord: collect(body) }, headers: { redelivered: true } })
      yield* pushRaw(raw)
      yield* start()
      yield* seconds(5)
      assert.deepInclude(yield* result(body), { status: "SUCCESS", result: [7] })
    })
  )

  const failing: Record<
    string,
    { readonly message: Parameters<typeof message>[0]; readonly says: RegExp; readonly spoil?: (raw: string) => string }
  > = {
    "arguments are wrong": { message: { task: "generate_model", kwargs: wrong }, says: /ValidationError/ },
    "task is not registered": { message: { task: "no.such" }, says: /NotRegistered\('no.such'\)/ },
    "time is over": { message: { expires: "1969-01-01T00:00:00+00:00" }, says: /TaskRevokedError\('expired'\)/ },
    "worker crashes again and again": {
      message: {},
      says: /WorkerLostError/,
      spoil: (raw) => {
        const envelope = PythonJson.parse(raw) as { readonly properties: object } // written by us
        return PythonJson.stringify({ ...envelope, properties: { ...envelope.properties, crashes: 3 } })
      }
    },
    "message cannot be read": { message: { eta: "soon" }, says: /DecodeError/ }
  }
  for (const [name, { message: over, says, spoil }] of Object.entries(failing)) {
    it.effect(`fails, with all that was to follow, when a header task's ${name}`, () =>
      Effect.gen(function* () {
        const { failure, pushRaw, result, results, seconds } = yield* world
        const [group, body, later, outer, errback] = ["chord", "body", "later", "outer", "errback"].map((one) =>
          uniqueId(one)
        ) as [string, string, string, string, string]
        yield* results.setChordSize(group, 2)
        yield* results.setChordSize(`outer of ${group}`, 1)
        // The body is a header task of another chord itself, and has a chain after it.
        const chord = collect(body, {
          chain: [health(later)],
          link_error: [signature("celery.accumulate", { task_id: errback }, { immutable: false })],
          chord: collect(outer),
          group_id: `outer of ${group}`,
          group_index: 0
        })
        yield* pushRaw(message({ group, groupIndex: 0, embed: { chord } }).raw)
        const { raw } = message({ id: `culprit of ${group}`, ...over, group, groupIndex: 1, embed: { chord } })
        yield* pushRaw(spoil === undefined ? raw : spoil(raw))
        yield* seconds(5)
        const told = yield* failure(body)
        assert.match(told.message, says)
        assert.match(told.message, new RegExp(`^Dependency culprit of ${group} raised `))
        assert.strictEqual(told.type, "ChordError")
        assert.strictEqual((yield* failure(later)).message, told.message)
        assert.match((yield* failure(outer)).message, /^Dependency .* raised ChordError/)
        assert.deepInclude(yield* result(errback), { status: "SUCCESS", result: [body] })
      })
    )
  }
})

describe("what cannot follow", () => {
  const strange: Record<string, object> = {
    "of an unknown kind": { subtask_type: "fan" },
    "whose options make no sense": { options: { priority: "high" } },
    "without a task": { task: null }
  }
  for (const [name, over] of Object.entries(strange)) {
    it.effect(`a signature ${name} is a FAILURE for who waits for it and for what is behind it`, () =>
      Effect.gen(function* () {
        const { counts, failure, seconds, send, success } = yield* world
        const [next, last] = [uniqueId("next"), uniqueId("last")]
        const broken = health(next)
        const id = yield* send({
          task: "health_check",
          kwargs: {},
          embed: {
            chain: [
              health(last),
              { ...broken, ...over, options: { ...broken.options, ...("options" in over ? (over.options as object) : {}) } }
            ]
          }
        })
        yield* seconds(5)
        yield* success(id)
        for (const one of [next, last]) assert.match((yield* failure(one)).message, /cannot follow/)
        assert.deepStrictEqual(yield* counts, empty)
      })
    )
  }

  it.effect("a map over our tasks says what to send instead", () =>
    Effect.gen(function* () {
      const { failure, seconds, send } = yield* world
      const id = yield* send({ task: "celery.starmap", kwargs: { task: signature("generate_model"), it: [] } })
      yield* seconds(5)
      assert.match((yield* failure(id)).message, /send a group/)
    })
  )
})

describe("a result nobody wants", () => {
  it.effect("is not stored, and counts in its chord all the same; a failure is stored", () =>
    Effect.gen(function* () {
      const { failure, pushRaw, result, results, seconds } = yield* world
      const [group, body, good, bad] = [uniqueId("chord"), uniqueId("body"), uniqueId(), uniqueId()]
      const ignored = (raw: string) => {
        const envelope = PythonJson.parse(raw) as { readonly headers: object } // written by us
        return PythonJson.stringify({ ...envelope, headers: { ...envelope.headers, ignore_result: true } })
      }
      yield* results.setChordSize(group, 1)
      const member = {
        task: "celery.accumulate",
        args: ["kept"],
        kwargs: { index: 0 },
        group,
        groupIndex: 0,
        embed: { chord: collect(body) }
      }
      yield* pushRaw(ignored(message({ id: good, ...member }).raw))
      yield* pushRaw(ignored(message({ id: bad, task: "generate_model", kwargs: wrong }).raw))
      yield* seconds(5)
      assert.isUndefined(yield* result(good))
      assert.deepInclude(yield* result(body), { status: "SUCCESS", result: ["kept"] })
      assert.strictEqual((yield* failure(bad)).type, "ValidationError")
    })
  )
})

describe("a revoked task", () => {
  it.effect("takes the rest of its chain with it", () =>
    Effect.gen(function* () {
      const { result, seconds, send } = yield* world
      const later = uniqueId("later")
      const id = yield* send({ expires: "1969-01-01T00:00:00+00:00", embed: { chain: [health(later)] } })
      yield* seconds(5)
      for (const one of [id, later]) assert.strictEqual((yield* result(one))?.status, "REVOKED")
    })
  )
})

it.effect(
  "a worker that dies anywhere in a chord leaves it to end once",
  () =>
    Effect.gen(function* () {
      let deaths = 0
      for (const when of ["before", "after"] as const) {
        for (let at = 1; at < 60; at++) {
          const died = yield* Effect.scoped(
            Effect.gen(function* () {
              const { counts, pushRaw, results, seconds, start } = yield* makeWorld
              const [group, body, last] = [uniqueId("chord"), uniqueId("body"), uniqueId("last")]
              yield* results.setChordSize(group, 2)
              const chord = collect(body, { chain: [collect(last)] })
              for (const index of [0, 1]) {
                const one = message({
                  task: "celery.accumulate",
                  args: [index],
                  kwargs: { index: 0 },
                  group,
                  groupIndex: index,
                  embed: { chord }
                })
                yield* pushRaw(one.raw)
              }
              const first = yield* start({ death: { at, when } })
              yield* seconds(3)
              if (first.plug.pulled) {
                yield* start()
                for (let n = 0; n < 12; n++) yield* seconds(10)
              }
              assert.deepInclude(Option.getOrUndefined(yield* results.get(last)), { status: "SUCCESS", result: [0, 1] })
              assert.deepStrictEqual(yield* counts, empty)
              return first.plug.pulled
            })
          )
          if (died) deaths++
        }
      }
      assert.isAbove(deaths, 40)
    }),
  60_000
)
