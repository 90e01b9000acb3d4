import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ResultStoreError } from "../../../src/services/ResultStore.ts"
import { message, uniqueId } from "../../support.ts"
import { empty, five, makeWorld } from "../world.ts"

const signature = (options: object, over: object = {}) => ({
  task: "health_check",
  args: [],
  kwargs: {},
  options,
  subtask_type: null,
  immutable: true,
  ...over
})
const group = (tasks: ReadonlyArray<object>, options: object = {}) =>
  signature(options, { task: "celery.group", kwargs: { tasks }, subtask_type: "group" })
const chain = (tasks: ReadonlyArray<object>, options: object = {}) =>
  signature(options, { task: "celery.chain", kwargs: { tasks }, subtask_type: "chain" })

const restarts = 'supervisor_restarts_total{child="child-1"}'
/** A worker, and a neighbour of every task that it must be able to run. */
const world = Effect.gen(function* () {
  const all = yield* makeWorld
  yield* all.start()
  return {
    ...all,
    /** The worker is as well as it was. */
    unharmed: Effect.gen(function* () {
      const neighbour = yield* all.send()
      yield* all.seconds(20)
      yield* all.success(neighbour)
      assert.isUndefined(yield* all.metric(restarts))
    })
  }
})
const wrong = { ...five, gender: "neither" }

/** What a client may ask for that no worker can send. */
const impossible: Record<string, { readonly link: (id: string) => object; readonly says: RegExp }> = {
  "with a countdown that ends beyond all dates": {
    link: (task_id) => signature({ task_id, countdown: 1.7e15 }),
    says: /countdown: no date is 1700000000000000 seconds from now/
  },
  "with a countdown from before all dates": {
    link: (task_id) => signature({ task_id, countdown: -1.7e15 }),
    says: /countdown: no date is -1700000000000000 seconds from now/
  },
  "that expires beyond all dates": {
    link: (task_id) => signature({ task_id, expires: 1.7e15 }),
    says: /expires: no date is 1700000000000000 seconds from now/
  },
  "of more tasks than one may set off": {
    link: (task_id) => group([signature({ task_id }), ...Array.from({ length: 2000 }, () => ({ task: "t" }))]),
    says: /more than 2000 tasks, which is the most one task may set off/
  },
  "of more bytes than one may set off": {
    link: (task_id) =>
      chain(
        Array.from({ length: 300 }, (_, at) => signature(at === 0 ? { task_id } : {})),
        { link_error: [signature({}, { kwargs: { text: "x".repeat(200_000) } })] }
      ),
    says: /more than 25165824 bytes of messages, which is the most one task may set off/
  }
}

describe("a task that failed", () => {
  for (const [name, { link, says }] of Object.entries(impossible)) {
    it.effect(`is a FAILURE of its own kind though it has an errback ${name}, which is told so`, () =>
      Effect.gen(function* () {
        const { counts, failure, send, seconds, unharmed } = yield* world
        const errback = uniqueId("errback")
        const id = yield* send({ kwargs: wrong, embed: { errbacks: [link(errback)] } as never })
        yield* seconds(20)
        assert.strictEqual((yield* failure(id)).type, "ValidationError")
        assert.match((yield* failure(errback)).message, says)
        assert.deepStrictEqual(yield* counts, empty)
        yield* unharmed
      })
    )
  }
})

describe("a picture that was paid for", () => {
  for (const [name, { link, says }] of Object.entries(impossible)) {
    it.effect(`is a SUCCESS though its callback cannot follow, being one ${name}`, () =>
      Effect.gen(function* () {
        const { counts, failure, ledger, send, seconds, success, unharmed } = yield* world
        const [callback, next] = [uniqueId("callback"), uniqueId("next")]
        const chain = [signature({ task_id: next })]
        const id = yield* send({ embed: { callbacks: [link(callback)], chain } as never })
        yield* seconds(20)
        yield* success(id)
        assert.match((yield* failure(callback)).message, says)
        assert.strictEqual((yield* ledger).length, 1)
        assert.deepStrictEqual(yield* counts, empty)
        yield* unharmed
      })
    )
  }
})

describe("a defect while a task is settled", () => {
  const collect = (task_id: string) =>
    signature({ task_id }, { task: "celery.accumulate", kwargs: { index: 0 }, immutable: false })
  const wrongType = Effect.fail(
    new ResultStoreError({
      operation: "x",
      cause: new Error("WRONGTYPE Operation against a key holding the wrong kind of value")
    })
  )
  const defects = { "a bug": Effect.die(new RangeError("Invalid time value")), "a key of another type": wrongType }
  const endings: Record<string, { readonly task: Parameters<typeof message>[0]; readonly spoil?: (raw: string) => string }> = {
    "that went well": { task: { task: "generate_model", kwargs: five } },
    "that failed": { task: { task: "generate_model", kwargs: wrong } },
    "that is too late": { task: { expires: "1969-01-01T00:00:00+00:00" } },
    "that cannot be read": { task: { eta: "soon" } },
    "that nobody knows": { task: { task: "no.such" } },
    "that killed its worker three times": {
      task: {},
      spoil: (raw) => raw.replace('"priority":0', '"priority":0,"crashes":3')
    }
  }
  for (const [what, defect] of Object.entries(defects)) {
    for (const [name, { spoil, task }] of Object.entries(endings)) {
      it.effect(`puts the message aside of one ${name}, ends no worker and keeps its chord informed (${what})`, () =>
        Effect.gen(function* () {
          const { broken, left, pushRaw, result, results, seconds, unharmed } = yield* world
          const [id, group, body, errback] = [uniqueId(), uniqueId("chord"), uniqueId("body"), uniqueId("errback")] as const
          yield* results.setChordSize(group, 1)
          broken.set("store", (document) => ((document as { task_id: string }).task_id === id ? defect : undefined)) // by our Reply
          const { raw } = message({
            ...task,
            id,
            group,
            groupIndex: 0,
            embed: { chord: collect(body), errbacks: [signature({ task_id: errback })] } as never
          })
          yield* pushRaw(spoil === undefined ? raw : spoil(raw))
          yield* seconds(20)
          const [letter] = (yield* left).dead
          assert.include(["could not be settled", "crashed its worker"], letter?.["reason"])
          assert.include(String(letter?.["raw"]), id)
          assert.include(["SUCCESS", "FAILURE"], (yield* result(body))?.status)
          if (/failed|read|killed|nobody/.test(name)) assert.isDefined(yield* result(errback))
          yield* unharmed
        })
      )
    }
  }

  it.effect("leaves no paid picture without an end: what was to follow is told that it cannot", () =>
    Effect.gen(function* () {
      const { broken, failure, ledger, left, seconds, send, success, unharmed } = yield* world
      const [callback, next] = [uniqueId("callback"), uniqueId("next")]
      broken.set("saveGroupTree", () => Effect.die(new Error("a bug")))
      const members = [chain([signature({ task_id: callback }), group([signature({}), signature({})])])]
      const id = yield* send({
        embed: {
          callbacks: [
            signature(
              {},
              { task: "celery.chord", subtask_type: "chord", kwargs: { header: members, body: signature({ task_id: next }) } }
            )
          ]
        } as never
      })
      yield* seconds(20)
      yield* success(id)
      for (const follower of [callback, next]) assert.include((yield* failure(follower)).message, "could not be sent")
      assert.strictEqual((yield* left).dead.length, 1)
      assert.strictEqual((yield* ledger).length, 1)
      yield* unharmed
    })
  )
})

describe("a message that killed its worker three times", () => {
  it.effect("is put aside before anybody is told", () =>
    Effect.gen(function* () {
      const { left, pushRaw, result, seconds, start } = yield* makeWorld
      yield* start({ death: { at: "bury", when: "after" } })
      const { raw } = message({ id: "lost" })
      yield* pushRaw(raw.replace('"priority":0', '"priority":0,"crashes":3'))
      yield* seconds(5)
      assert.deepInclude((yield* left).dead[0] ?? {}, { reason: "crashed its worker" })
      assert.isUndefined(yield* result("lost"))
    })
  )
})

describe("an earlier result that is no document of ours", () => {
  it.effect("does not keep a redelivered task from running", () =>
    Effect.gen(function* () {
      const { broken, seconds, send, success, unharmed } = yield* world
      broken.set("get", () => Effect.fail(new ResultStoreError({ operation: "read", cause: "not JSON" })))
      const id = yield* send({ headers: { redelivered: true } })
      yield* seconds(20)
      broken.clear()
      yield* success(id)
      yield* unharmed
    })
  )
})
