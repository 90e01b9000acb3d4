import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { MAX_MESSAGE } from "../../src/services/TaskQueue.ts"
import { message } from "../support.ts"
import { empty, five, makeWorld, template } from "./world.ts"

const prompt =
  "Fashion model, female, 25-35 years old, body type: average, pose: front standing, style: professional photo, full body shot, " +
  "neutral white/gray background, professional studio lighting, high quality, 8k, detailed, clean composition"

/** A message as it lies in the queue, changed by hand. */
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
        saved: true
      })
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

describe("fal is busy or broken before it accepts", () => {
  const busy = Array.from({ length: 50 }, () => "busy" as const)

  it.effect("RETRY under the same id with the slot free meanwhile, and then it goes well", () =>
    Effect.gen(function* () {
      const { counts, left, ledger, result, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits("busy")
      yield* start({ chance: 0.999 })
      const id = yield* send()
      yield* seconds(0.5)
      const document = yield* result(id)
      assert.strictEqual(document!.status, "RETRY")
      assert.deepInclude(document!.result as object, { exc_type: "GenerationError", exc_module: "model_generator.errors" })
      assert.deepStrictEqual(yield* counts, { ...empty, scheduled: 1 })
      const [waiting] = (yield* left).scheduled
      assert.deepInclude((JSON.parse(waiting!.raw) as { headers: object }).headers, { id, retries: 1, task: "generate_model" })
      const other = yield* send({ task: "health_check", kwargs: {} })
      yield* seconds(0.5)
      yield* success(other) // the slot was free
      yield* seconds(5)
      assert.strictEqual((yield* success(id))["saved"], true)
      assert.deepStrictEqual(yield* counts, empty)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )

  it.effect("the delay doubles from 2 s up to 60 s, and after TASK_MAX_RETRIES it is a FAILURE", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, left, metric, script, seconds, send, start } = yield* makeWorld
      yield* script.submits(...busy)
      yield* start({ chance: 0.9999, env: { TASK_MAX_RETRIES: "7" } })
      const id = yield* send()
      yield* seconds(0)
      const delays = new Map<number, number>()
      for (let n = 0; n < 1000 && (yield* counts).dead + (yield* counts).scheduled + (yield* counts).queued > 0; n++) {
        for (const { inMs, raw } of (yield* left).scheduled) {
          const { retries } = (JSON.parse(raw) as { headers: { retries: number } }).headers // written by us
          if (!delays.has(retries)) delays.set(retries, Math.round(inMs / 1000))
        }
        yield* seconds(0.25)
      }
      assert.deepStrictEqual([...delays.values()], [2, 4, 8, 16, 32, 60, 60])
      const failed = yield* failure(id)
      assert.match(failed.message, /fal: Concurrent requests limit reached/)
      assert.deepStrictEqual(yield* counts, empty)
      assert.strictEqual((yield* ledger).length, 0)
      assert.strictEqual(yield* metric('task_retries_total{task="generate_model",reason="fal busy"}'), 7)
    })
  )

  it.effect("the jitter is full: from nothing to the whole delay", () =>
    Effect.gen(function* () {
      const { left, script, seconds, send, start } = yield* makeWorld
      yield* script.submits(...busy)
      yield* start({ env: { TASK_RETRY_BACKOFF: "50", WORKER_CONCURRENCY: "50" } })
      for (let n = 0; n < 50; n++) yield* send()
      // Fifty at once take more turns of the event loop than one step of the clock waits for.
      for (let turn = 0; turn < 50 && (yield* left).scheduled.length < 50; turn++) yield* seconds(0)
      const delays = (yield* left).scheduled.map(({ inMs }) => inMs / 50_000)
      assert.strictEqual(delays.length, 50)
      assert.isTrue(delays.every((delay) => delay >= 0 && delay <= 1))
      // Each half is missed by 50 even draws once in 2^50.
      assert.isTrue(delays.some((delay) => delay < 0.5) && delays.some((delay) => delay > 0.5))
      assert.isAbove(new Set(delays).size, 40)
    })
  )

  it.effect("a job that failed through no fault of the input is asked for again, and not billed", () =>
    Effect.gen(function* () {
      const { ledger, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "failed", after: 1000, type: "runner_disconnected" })
      yield* start()
      const id = yield* send()
      yield* seconds(30)
      yield* success(id)
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome, units }) => ({ outcome, units })),
        [
          { outcome: "failed", units: 0 },
          { outcome: "picture", units: 1 }
        ]
      )
      assert.strictEqual((yield* rows()).length, 1)
    })
  )

  it.effect("looks that fail do no harm to a request that runs", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.looks(...Array.from({ length: 20 }, () => "unreachable" as const))
      yield* start()
      const id = yield* send()
      yield* seconds(120)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )
})

describe("fal's answer to a submit is lost", () => {
  it.effect("it waits its grace of 60 s, and is then made again, once", () =>
    Effect.gen(function* () {
      const { counts, ledger, metric, result, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits("lost")
      yield* start()
      const id = yield* send({ kwargs: { ...five, seed: 11 } })
      yield* seconds(59)
      assert.strictEqual((yield* result(id))!.status, "RETRY")
      assert.strictEqual((yield* ledger).length, 1)
      assert.strictEqual(yield* metric("generations_uncertain_total"), 1)
      yield* seconds(10)
      yield* success(id)
      assert.deepStrictEqual(
        (yield* ledger).map(({ input }) => input["seed"]),
        [11, 11]
      ) // the same, to be found in fal's history
      assert.strictEqual((yield* rows()).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("lost twice, it is a FAILURE: never a third", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, script, seconds, send, start } = yield* makeWorld
      yield* script.submits("lost", "lost")
      yield* start()
      const id = yield* send()
      yield* seconds(3600)
      assert.match((yield* failure(id)).message, /lost 2 times/)
      assert.strictEqual((yield* ledger).length, 2)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("made again and failed at fal, it has had its one more time: lost once more, it is a FAILURE", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, script, seconds, send, start } = yield* makeWorld
      const picture = { ends: "picture", after: 1000 } as const
      yield* script.submits("lost", "accepted", "lost")
      yield* script.jobs(picture, { ends: "failed", after: 1000, type: "runner_disconnected" }, picture)
      yield* start()
      const id = yield* send()
      yield* seconds(3600)
      assert.match((yield* failure(id)).message, /lost 2 times/)
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome }) => outcome),
        ["picture", "failed", "picture"]
      )
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect(
    "a request that fal does not know is asked about once more after the grace, and not made again when it is known then",
    () =>
      Effect.gen(function* () {
        const { counts, ledger, script, seconds, send, start, success } = yield* makeWorld
        yield* script.looks(...Array.from({ length: 8 }, () => "unknown" as const))
        yield* start()
        const id = yield* send()
        yield* seconds(110)
        yield* success(id)
        assert.strictEqual((yield* ledger).length, 1)
        assert.deepStrictEqual(yield* counts, empty)
      })
  )

  it.effect("one that fal does not know then either is made again, once", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.looks(...Array.from({ length: 11 }, () => "unknown" as const)) // its status and its result
      yield* start()
      const id = yield* send()
      yield* seconds(50)
      assert.strictEqual((yield* ledger).length, 1)
      yield* seconds(60)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 2)
    })
  )

  it.effect("the wait uses up none of the task's retries", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits("lost", "busy", "busy", "busy", "busy", "busy", "accepted")
      yield* start()
      const id = yield* send()
      yield* seconds(400)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 2)
    })
  )
})

describe("the account is locked or the key is wrong", () => {
  it.effect("no task fails for it: it goes back, the worker pauses and says so, and takes tasks again when it is mended", () =>
    Effect.gen(function* () {
      const { counts, ledger, metric, result, script, seconds, send, start, success } = yield* makeWorld
      const locked = Array.from({ length: 3 }, () => "locked" as const)
      yield* script.submits("locked")
      yield* script.looks(...locked) // what the free question sees
      const { vitals } = yield* start()
      const ids = [yield* send(), yield* send()]
      yield* seconds(1)
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 2 })
      assert.match(vitals.paused, /fal account: fal answered 403: User is locked/)
      assert.strictEqual(yield* metric("consuming"), 0)
      assert.strictEqual(yield* metric('pauses_total{reason="fal account"}'), 1)
      yield* seconds(15 + 30 + 60) // three questions answered the same, each after a longer pause
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 2 })
      assert.strictEqual((yield* script.calls).submit, 1)
      for (const id of ids) assert.isUndefined(yield* result(id))
      yield* seconds(240)
      for (const id of ids) yield* success(id)
      assert.strictEqual(vitals.paused, "")
      assert.strictEqual(yield* metric("consuming"), 1)
      assert.strictEqual((yield* ledger).length, 2)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("a picture that ends in another slot meanwhile takes no further task with it", () =>
    Effect.gen(function* () {
      const { counts, ledger, script, seconds, send, start } = yield* makeWorld
      const { vitals } = yield* start({ env: { WORKER_CONCURRENCY: "2" } })
      yield* send()
      yield* script.submits("locked") // while the first one is made
      for (let n = 0; n < 3; n++) yield* send()
      yield* seconds(12)
      assert.match(vitals.paused, /fal account/)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 3 })
      yield* seconds(60)
      assert.strictEqual((yield* ledger).length, 4)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("found out in the middle of a picture, the request id is kept and the picture not bought again", () =>
    Effect.gen(function* () {
      const { counts, ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.looks("locked", "locked")
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 1 })
      yield* seconds(30)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )

  it.effect("a task that goes back does not count as crashed", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.submits("locked", "locked", "locked", "locked", "locked")
      yield* start()
      const id = yield* send()
      yield* seconds(3600)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )
})

describe("PostgreSQL is away", () => {
  it.effect("the save alone is retried, however long it takes: paid once, saved once", () =>
    Effect.gen(function* () {
      const { away, counts, ledger, result, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send()
      away.database = true
      yield* seconds(3 * 3600)
      assert.strictEqual((yield* result(id))!.status, "RETRY")
      assert.deepInclude(yield* counts, { queued: 0, dead: 0, scheduled: 1 })
      away.database = false
      yield* seconds(61)
      assert.strictEqual((yield* success(id))["version"], 1)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.strictEqual((yield* script.calls).submit, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("what it refuses for good is a FAILURE after the retries, and says where the paid picture is", () =>
    Effect.gen(function* () {
      const { counts, database, failure, ledger, rows, seconds, send, start } = yield* makeWorld
      database.refuses = true
      yield* start()
      const id = yield* send()
      yield* seconds(600)
      const failed = yield* failure(id)
      assert.strictEqual(failed.type, "LibraryError")
      assert.match(failed.message, /value too long.*https:\/\/fal\.example\//)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 0])
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("the soft limit", () => {
  it.effect("cancels the request: FAILURE SoftTimeLimitExceeded after 240 s", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, metric, result, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "never" })
      yield* start()
      const id = yield* send()
      yield* seconds(239)
      assert.isUndefined(yield* result(id))
      yield* seconds(5)
      const failed = yield* failure(id)
      assert.deepStrictEqual([failed.type, failed.module], ["SoftTimeLimitExceeded", "billiard.exceptions"])
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome }) => outcome),
        ["cancelled"]
      )
      assert.strictEqual(yield* metric('generations_total{outcome="Cancelled"}'), 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("uses the picture when it was completed meanwhile", () =>
    Effect.gen(function* () {
      const { ledger, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 245_000 })
      yield* script.ignoreCancels
      yield* start()
      const id = yield* send()
      yield* seconds(270)
      assert.strictEqual((yield* success(id))["saved"], true)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.strictEqual((yield* script.calls).cancel, 1)
    })
  )

  it.effect("of the message itself goes before the setting, and 0 means none, as in Celery", () =>
    Effect.gen(function* () {
      const { failure, ledger, result, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "never" }, { ends: "picture", after: 100_000 })
      yield* start()
      const short = yield* send({ limits: { soft: 5, hard: 10 } })
      const unlimited = yield* send({ limits: { soft: 0, hard: 0 } })
      yield* seconds(4)
      assert.isUndefined(yield* result(short))
      yield* seconds(4)
      assert.strictEqual((yield* failure(short)).type, "SoftTimeLimitExceeded")
      yield* seconds(120)
      yield* success(unlimited)
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome }) => outcome),
        ["cancelled", "picture"]
      )
    })
  )
})

describe("the hard limit", () => {
  it.effect("leaves the child behind: FAILURE TimeLimitExceeded after 300 s, and its successor takes the next task", () =>
    Effect.gen(function* () {
      const { counts, failure, metric, result, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "never" })
      yield* script.ignoreCancels
      yield* start()
      const stuck = yield* send()
      const next = yield* send()
      yield* seconds(299)
      assert.isUndefined(yield* result(stuck))
      yield* seconds(10)
      const failed = yield* failure(stuck)
      assert.deepStrictEqual([failed.type, failed.module, failed.message], ["TimeLimitExceeded", "billiard.exceptions", "300"])
      yield* success(next)
      assert.strictEqual(yield* metric('children_retired_total{reason="spent"}'), 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("below the soft one still holds, per message", () =>
    Effect.gen(function* () {
      const { failure, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "never" })
      yield* start()
      const id = yield* send({ limits: { soft: null, hard: 3 } })
      yield* seconds(4)
      const failed = yield* failure(id)
      assert.deepStrictEqual([failed.type, failed.message], ["TimeLimitExceeded", "3"])
    })
  )
})

describe("times in the message", () => {
  it.effect("expired: REVOKED, nothing paid", () =>
    Effect.gen(function* () {
      const { counts, ledger, result, seconds, send, start } = yield* makeWorld
      yield* seconds(100)
      yield* start()
      const id = yield* send({ expires: "1970-01-01T00:01:39+00:00" })
      yield* seconds(1)
      assert.deepInclude((yield* result(id))!, {
        status: "REVOKED",
        result: { exc_type: "TaskRevokedError", exc_message: ["expired"], exc_module: "celery.exceptions" }
      })
      assert.strictEqual((yield* ledger).length, 0)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("not yet due: held among the unacknowledged, run at its time and not before, with the slot free", () =>
    Effect.gen(function* () {
      const { counts, ledger, result, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ eta: "1970-01-01T01:00:00+00:00" })
      const now = yield* send()
      yield* seconds(10)
      yield* success(now)
      yield* seconds(3580)
      assert.deepStrictEqual(yield* counts, { ...empty, scheduled: 1 })
      assert.strictEqual((yield* ledger).length, 1)
      assert.isUndefined(yield* result(id))
      yield* seconds(20)
      yield* success(id)
      assert.isAtLeast((yield* ledger)[1]!.acceptedAt, 3_600_000)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("due after it expires: REVOKED when its time comes", () =>
    Effect.gen(function* () {
      const { ledger, result, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send({ eta: "1970-01-01T00:01:00Z", expires: "1970-01-01T00:00:30Z" })
      yield* seconds(70)
      assert.strictEqual((yield* result(id))!.status, "REVOKED")
      assert.strictEqual((yield* ledger).length, 0)
    })
  )
})

describe("a result", () => {
  it.effect("of a redelivered task that has a SUCCESS already is kept, and nothing is done twice", () =>
    Effect.gen(function* () {
      const { counts, ledger, pushRaw, result, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send()
      yield* seconds(60)
      const first = yield* result(id)
      yield* pushRaw(
        changed(id, (envelope) => ({ ...envelope, headers: { ...(envelope["headers"] as object), redelivered: true } }))
      )
      yield* seconds(5)
      assert.deepStrictEqual(yield* result(id), first)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("is paid once though Redis forgets the journal and that its worker has the message", () =>
    Effect.gen(function* () {
      const { counts, forgetHolds, journal, ledger, seconds, send, start, success } = yield* makeWorld
      yield* start({ env: { WORKER_CONCURRENCY: "2" } })
      const id = yield* send()
      yield* seconds(0.5)
      const { entry } = yield* journal.find(id)
      if (Option.isNone(entry) || entry.value._tag !== "Submitted") return assert.fail("nothing was submitted")
      yield* journal.withdraw(id, entry.value, Option.none())
      yield* forgetHolds
      yield* seconds(20)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("that nobody wants is not stored, but its failure is", () =>
    Effect.gen(function* () {
      const { counts, failure, pushRaw, result, rows, script, seconds, start } = yield* makeWorld
      yield* script.submits("accepted", { refused: "no" })
      yield* start()
      for (const id of ["quiet", "loud"])
        yield* pushRaw(
          changed(id, (envelope) => ({ ...envelope, headers: { ...(envelope["headers"] as object), ignore_result: true } }))
        )
      yield* seconds(10)
      assert.isUndefined(yield* result("quiet"))
      assert.strictEqual((yield* failure("loud")).type, "ContentRefused")
      assert.strictEqual((yield* rows()).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("with TASK_TRACK_STARTED", () => {
  const tracking = { env: { TASK_TRACK_STARTED: "true" }, name: "celery@tracking" }

  it.effect("a task is STARTED while fal works on it", () =>
    Effect.gen(function* () {
      const { ledger, result, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 5000 })
      yield* start(tracking)
      const id = yield* send()
      yield* seconds(1)
      const started = yield* result(id)
      assert.deepInclude(started, { status: "STARTED", traceback: null, children: [], date_done: null })
      assert.match(JSON.stringify(started?.result), /^\{"pid":\d+,"hostname":"celery@tracking"\}$/)
      assert.strictEqual((yield* ledger).length, 1)
      yield* seconds(10)
      assert.strictEqual((yield* result(id))?.status, "SUCCESS")
    })
  )

  it.effect("what cannot be stored of a start holds nothing up: the picture is bought, and the limits count", () =>
    Effect.gen(function* () {
      const { away, failure, ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 5000 }, { ends: "never" })
      yield* start({ ...tracking, env: { ...tracking.env, TASK_SOFT_TIME_LIMIT: "20", WORKER_CONCURRENCY: "2" } })
      away.results = true
      const [good, bad] = [yield* send(), yield* send()]
      yield* seconds(30)
      assert.deepStrictEqual(
        (yield* ledger).map(({ outcome }) => outcome),
        ["picture", "cancelled"]
      )
      away.results = false
      yield* seconds(5)
      yield* success(good)
      assert.strictEqual((yield* failure(bad)).type, "SoftTimeLimitExceeded")
    })
  )

  it.effect("without it nothing is stored before the end", () =>
    Effect.gen(function* () {
      const { ledger, result, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send()
      yield* seconds(1)
      assert.deepStrictEqual([yield* result(id), (yield* ledger).length], [undefined, 1])
    })
  )

  it.effect("what was stored before it is run again stays until it has ended", () =>
    Effect.gen(function* () {
      const { failure, pushRaw, result, results, seconds, start } = yield* makeWorld
      const id = "again"
      yield* results.store({
        task_id: id,
        status: "FAILURE",
        traceback: null,
        children: [],
        date_done: null,
        result: { exc_type: "WorkerLostError", exc_message: ["gone"], exc_module: "billiard.exceptions" }
      })
      yield* start(tracking)
      yield* pushRaw(changed(id, (envelope) => envelope))
      yield* seconds(1)
      assert.strictEqual((yield* failure(id)).type, "WorkerLostError")
      yield* seconds(10)
      assert.strictEqual((yield* result(id))?.status, "SUCCESS")
    })
  )
})

describe("a chain", () => {
  const edit = (id: string) => ({
    task: "edit_model",
    args: [],
    kwargs: { prompt: "в красном пальто" },
    options: { task_id: id, queue: "generator_queue" },
    subtask_type: null,
    immutable: false
  })

  it.effect("goes on with the result of its first task, once, and the first names the next as its child", () =>
    Effect.gen(function* () {
      const { counts, ledger, result, rows, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ embed: { chain: [edit("the-edit")] } })
      yield* seconds(20)
      const edited = yield* success("the-edit")
      assert.deepStrictEqual((yield* result(id))!.children, [[["the-edit", null], null]])
      assert.strictEqual((yield* result("the-edit"))!.parent_id, id)
      assert.deepInclude(edited, { template_id: template, version: 2, prompt: "в красном пальто" })
      const [, second] = yield* rows()
      assert.deepStrictEqual(second!.metadata, {
        edited_from: { id: String((yield* success(id))["id"]), template_id: template, version: 1 }
      })
      assert.strictEqual((yield* ledger).length, 2)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("whose first task fails has failed to its end: nobody waits for ever", () =>
    Effect.gen(function* () {
      const { counts, failure, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send({ kwargs: {}, embed: { chain: [edit("last"), edit("next")] } })
      yield* seconds(5)
      for (const one of [id, "next", "last"]) assert.strictEqual((yield* failure(one)).type, "ValidationError")
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("children of the pool", () => {
  it.effect("retire after 50 tasks, and the 51st is taken by the next", () =>
    Effect.gen(function* () {
      const { metric, seconds, send, start, success } = yield* makeWorld
      yield* start()
      let last = ""
      for (let n = 0; n < 51; n++) last = yield* send({ task: "health_check", kwargs: {} })
      yield* seconds(5)
      yield* success(last)
      assert.strictEqual(yield* metric('children_retired_total{reason="quota"}'), 1)
      assert.strictEqual(yield* metric("children_started_total"), 2)
    })
  )
})

describe("a stop", () => {
  it.effect("takes nothing new, finishes the picture in hand, gives back the rest as it was, and ends the lease", () =>
    Effect.gen(function* () {
      const { counts, ledger, left, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 60_000 })
      const worker = yield* start({ env: { WORKER_PREFETCH_MULTIPLIER: "2" } })
      const [id] = [yield* send(), yield* send(), yield* send()]
      yield* seconds(10)
      assert.deepStrictEqual(yield* counts, { ...empty, running: 2, queued: 1 })
      const stopping = yield* worker.stop
      yield* seconds(40)
      assert.isUndefined(stopping.pollUnsafe())
      yield* seconds(30)
      yield* Fiber.join(stopping)
      yield* success(id!)
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 2 })
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.deepStrictEqual((yield* left).scheduled, [])
    })
  )

  it.effect("that may not wait hands the picture back, and another worker resumes it without paying again", () =>
    Effect.gen(function* () {
      const { counts, ledger, metric, result, rows, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 60_000 })
      const worker = yield* start()
      const id = yield* send()
      yield* seconds(10)
      const stopping = yield* worker.stop
      yield* seconds(1)
      yield* worker.hurry
      yield* seconds(1)
      yield* Fiber.join(stopping)
      assert.isUndefined(yield* result(id))
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 1 })
      yield* start()
      yield* seconds(70)
      yield* success(id)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.strictEqual(yield* metric("generations_reattached_total"), 1)
    })
  )
})
