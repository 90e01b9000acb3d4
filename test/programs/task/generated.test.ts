/** A task that is read, bought, saved and answered, and what can never go well. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { MAX_MESSAGE } from "../../../src/services/TaskQueue.ts"
import { message } from "../../support.ts"
import { empty, five, makeWorld, template } from "../world.ts"

const prompt =
  "Fashion model, female, 25-35 years old, body type: average, pose: front standing, style: professional photo, full body shot, " +
  "neutral white/gray background, professional studio lighting, high quality, 8k, detailed, clean composition"
const changed = (id: string, change: (envelope: Record<string, unknown>) => object) =>
  JSON.stringify(change(JSON.parse(message({ id, task: "generate_model", kwargs: five }).raw) as Record<string, unknown>)) // written by us

describe("a picture made and saved", () => {
  it.effect("is a SUCCESS with everything a client needs, one row and one payment, and its message is gone", () =>
    Effect.gen(function* () {
      const { counts, ledger, metric, rows, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ kwargs: { ...five, seed: 7 } })
      yield* seconds(5)
      const [row] = yield* rows()
      const [paid] = yield* ledger
      assert.deepStrictEqual(yield* success(id), {
        status: "completed",
        id: row!.id,
        template_id: template,
        version: 1,
        image_url: row!.imageUrl,
        thumbnail_url: row!.imageUrl,
        ...five,
        prompt,
        seed: 7,
        width: 768,
        height: 1024,
        fal_request_id: paid!.requestId,
        processing_time_ms: row!.processingTimeMs,
        saved: true,
        cost_usd: 0.025,
        cost_source: "units"
      })
      assert.deepStrictEqual(row!.metadata, { seed: 7, cost_usd: 0.025, cost_source: "units" })
      assert.strictEqual(paid!.input["prompt"], prompt)
      assert.strictEqual((yield* rows()).length, 1)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
      assert.strictEqual(yield* metric('tasks_total{task="generate_model",outcome="succeeded"}'), 1)
    })
  )

  it.effect("is told how long it waited: since it came, or since it was due", () =>
    Effect.gen(function* () {
      const { metric, seconds, send, start } = yield* makeWorld
      yield* start()
      for (let n = 0; n < 10; n++) yield* send() // about 2 s each, one at a time
      yield* seconds(30)
      const wait = (what: string) => metric(`queue_wait_seconds_${what}{task="generate_model"}`)
      assert.strictEqual(yield* wait("count"), 10)
      const waited = (yield* wait("sum"))!
      // About 75 s in all, and of each up to five are missing.
      assert.isAbove(waited, 25)
      assert.isBelow(waited, 90)
      yield* send({ eta: new Date((yield* Clock.currentTimeMillis) + 600_000).toISOString() })
      yield* seconds(630)
      assert.strictEqual(yield* wait("count"), 11)
      assert.isBelow((yield* wait("sum"))! - waited, 2)
    })
  )

  it.effect("is acknowledged only when its result is stored", () =>
    Effect.gen(function* () {
      const { away, counts, ledger, result, rows, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send()
      away.results = true
      yield* seconds(600)
      assert.isUndefined(yield* result(id))
      assert.deepStrictEqual(yield* counts, { ...empty, running: 1 })
      away.results = false
      yield* seconds(5)
      assert.strictEqual((yield* success(id))["saved"], true)
      assert.deepStrictEqual(yield* counts, empty)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
    })
  )

  it.effect("answers to the names Python's workers had", () =>
    Effect.gen(function* () {
      const { seconds, send, start, success } = yield* makeWorld
      yield* start()
      const ids = []
      for (const name of ["generate_model", "app.tasks.generate_model", "tasks.generate_model"])
        ids.push(yield* send({ task: name }))
      yield* seconds(15)
      for (const id of ids) assert.strictEqual((yield* success(id))["status"], "completed")
    })
  )

  it.effect("is made one at a time by a worker of one slot", () =>
    Effect.gen(function* () {
      const { ledger, seconds, send, start } = yield* makeWorld
      yield* start()
      for (let n = 0; n < 4; n++) yield* send()
      for (let n = 0; n < 30; n++) {
        yield* seconds(0.5)
        assert.isAtMost((yield* ledger).filter(({ outcome }) => outcome === "running").length, 1)
      }
      assert.strictEqual((yield* ledger).length, 4)
    })
  )
})

describe("what can never go well", () => {
  const refused = (
    name: string,
    push: (world: Effect.Success<typeof makeWorld>) => Effect.Effect<string>,
    expected: { readonly type: string; readonly module: string; readonly says: ReadonlyArray<RegExp> }
  ) =>
    it.effect(`${name}: FAILURE ${expected.type} at once, nothing paid, and the worker goes on`, () =>
      Effect.gen(function* () {
        const world = yield* makeWorld
        yield* world.start()
        const id = yield* push(world)
        const next = yield* world.send({ task: "health_check", kwargs: {} })
        yield* TestClock.adjust("1 second")
        const failed = yield* world.failure(id)
        assert.deepStrictEqual([failed.type, failed.module], [expected.type, expected.module])
        for (const part of expected.says) assert.match(failed.message, part)
        assert.strictEqual((yield* world.ledger).length, 0)
        yield* TestClock.adjust("2 minutes")
        assert.deepStrictEqual(yield* world.counts, empty) // not retried either
        assert.strictEqual((yield* world.success(next))["status"], "healthy")
      })
    )

  refused(
    "bad arguments",
    ({ send }) => send({ kwargs: { ...five, gender: "robot", age_range: "12-17", colour: "red", seed: "x" } }),
    {
      type: "ValidationError",
      module: "model_generator.errors",
      says: [/gender: /, /age_range: expected NN-NN with 18/, /colour: is not an argument/, /seed: /]
    }
  )
  refused("missing arguments", ({ send }) => send({ kwargs: {} }), {
    type: "ValidationError",
    module: "model_generator.errors",
    says: [/gender: is missing/, /age_range: is missing/, /body_type: is missing/, /pose: is missing/, /style: is missing/]
  })
  refused("an unknown task", ({ send }) => send({ task: "app.tasks.make_coffee" }), {
    type: "NotRegistered",
    module: "celery.exceptions",
    says: [/^app\.tasks\.make_coffee$/]
  })
  refused(
    "pickled content",
    ({ pushRaw }) =>
      Effect.as(
        pushRaw(changed("pickled", (envelope) => ({ ...envelope, "content-type": "application/x-python-serialize" }))),
        "pickled"
      ),
    { type: "ContentDisallowed", module: "kombu.exceptions", says: [/x-python-serialize/] }
  )
  refused(
    "a body that is not JSON",
    ({ pushRaw }) => Effect.as(pushRaw(changed("broken", (envelope) => ({ ...envelope, body: "W1sxLDI=" }))), "broken"),
    { type: "DecodeError", module: "kombu.exceptions", says: [/^body: /] }
  )
  refused(
    "a body that is not a call",
    ({ pushRaw }) => Effect.as(pushRaw(changed("odd", (envelope) => ({ ...envelope, body: "W1sxLDJdLHt9XQ==" }))), "odd"),
    { type: "DecodeError", module: "kombu.exceptions", says: [/^body: /] }
  )

  it.effect("a message without an id becomes a dead letter with the reason, and the worker goes on", () =>
    Effect.gen(function* () {
      const { counts, left, pushRaw, seconds, send, start, success } = yield* makeWorld
      yield* start({ name: "celery@me" })
      const raws = [
        "not json",
        '{"a": 1}',
        "",
        "[]",
        "\u0000",
        changed("x", (envelope) => ({ ...envelope, headers: {}, properties: {}, body: "{}" }))
      ]
      for (const raw of raws) yield* pushRaw(raw)
      const id = yield* send({ task: "health_check", kwargs: {} })
      yield* seconds(2)
      yield* success(id)
      assert.deepStrictEqual(yield* counts, { ...empty, dead: raws.length })
      const { dead } = yield* left
      assert.sameMembers(
        dead.map(({ raw }) => raw),
        raws
      )
      for (const letter of dead) {
        assert.deepInclude(letter, { reason: "unreadable", worker: "celery@me", deliveries: 1 })
        assert.isAbove(String(letter["error"]).length, 5)
        assert.isFalse(Number.isNaN(Date.parse(String(letter["time"]))))
      }
    })
  )

  it.effect(
    "a message too large to be read is a dead letter as it is; who waits for its id is told, and the worker goes on",
    () =>
      Effect.gen(function* () {
        const { counts, failure, metric, pushRaw, seconds, send, start, success } = yield* makeWorld
        yield* start()
        yield* pushRaw(changed("large", (envelope) => ({ ...envelope, body: "A".repeat(MAX_MESSAGE) })))
        yield* pushRaw(`"${"A".repeat(MAX_MESSAGE)}"`)
        const id = yield* send({ task: "health_check", kwargs: {} })
        yield* seconds(2)
        yield* success(id)
        const told = yield* failure("large")
        assert.strictEqual(told.type, "DecodeError")
        assert.match(told.message, /^message: 2516\d{4} bytes, at most 25165824 are read$/)
        assert.deepStrictEqual(yield* counts, { ...empty, dead: 2 })
        assert.strictEqual(yield* metric('dead_letters_total{reason="too large"}'), 2)
      })
  )

  it.effect("fal refuses the content: FAILURE in fal's own words, not retried, nothing saved", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, rows, script, seconds, send, start } = yield* makeWorld
      yield* script.submits({ refused: "prompt: too spicy" })
      yield* script.jobs({ ends: "refused", after: 1000, type: "content_policy_violation: no" })
      yield* start()
      const atSubmit = yield* send()
      const later = yield* send()
      yield* seconds(120)
      const first = yield* failure(atSubmit)
      assert.deepStrictEqual([first.type, first.message], ["ContentRefused", "prompt: too spicy"])
      const second = yield* failure(later)
      assert.deepStrictEqual([second.type, second.message], ["ContentRefused", "content_policy_violation: no"])
      assert.deepStrictEqual(yield* counts, empty)
      assert.strictEqual((yield* ledger).length, 1)
      assert.strictEqual((yield* rows()).length, 0)
    })
  )

  it.effect("a flagged picture: FAILURE, paid and counted as wasted, and never saved; once, though its worker dies over it", () =>
    Effect.gen(function* () {
      const { counts, failure, journal, ledger, metric, rows, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "flagged", after: 1000 })
      yield* start({ death: { at: "acknowledge", when: "before" } })
      yield* start()
      const id = yield* send()
      yield* seconds(120)
      assert.strictEqual((yield* failure(id)).type, "PictureFlagged")
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 0])
      assert.deepStrictEqual(yield* counts, empty)
      assert.strictEqual(yield* metric('billable_units_total{endpoint="fal-ai/flux/dev",use="wasted"}'), 1)
      assert.strictEqual(yield* metric('generations_total{outcome="flagged"}'), 1)
      assert.deepStrictEqual(yield* journal.counts, { Intended: 0, Submitted: 0, Generated: 0 })
    })
  )
})
