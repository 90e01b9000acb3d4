/** What is known of a paid picture: by the journal, by the process and by the message. None of them loses it for the others. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { makeFleet } from "../control/fleet.ts"
import { empty, five, makeWorld } from "../world.ts"

const slowly = { ends: "picture", after: 20_000 } as const
/** What a message says of the request its task pays for. */
const told = (raw: string) => (JSON.parse(raw) as { properties: { generation?: { requestId?: string } } }).properties.generation

describe("a journal that forgets", () => {
  it.effect("while fal works is told again by the process that knows: one request", () =>
    Effect.gen(function* () {
      const { counts, forget, journal, ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs(slowly)
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      yield* forget(id)
      yield* seconds(20)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
      assert.strictEqual(Option.getOrThrow((yield* journal.find(id)).entry)._tag, "Generated")
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("before the soft limit does not keep the picture from being brought in", () =>
    Effect.gen(function* () {
      const { forget, ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "picture", after: 15_000 })
      yield* script.ignoreCancels
      yield* start()
      const id = yield* send({ limits: { soft: 10, hard: 60 } })
      yield* seconds(5)
      yield* forget(id)
      yield* seconds(20)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )

  it.effect("while a paid picture waits to be saved: the message knows the request, which is found again", () =>
    Effect.gen(function* () {
      const { away, counts, forget, ledger, left, rows, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send()
      yield* seconds(1)
      away.database = true
      yield* seconds(5)
      const [waiting] = (yield* left).scheduled
      assert.strictEqual(told(waiting!.raw)?.requestId, (yield* ledger)[0]!.requestId)
      assert.isBelow(waiting!.raw.length, 4000)
      assert.notInclude(waiting!.raw, "neutral white") // nothing of what fal was asked
      yield* forget(id)
      away.database = false
      yield* seconds(120)
      yield* success(id)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("while a task that was handed back at a stop waits in its queue", () =>
    Effect.gen(function* () {
      const { counts, forget, ledger, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs(slowly)
      const first = yield* start()
      const id = yield* send()
      yield* seconds(2)
      yield* first.stop
      yield* first.hurry
      yield* seconds(2)
      assert.deepInclude(yield* counts, { queued: 1 })
      yield* forget(id)
      yield* start()
      yield* seconds(60)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )

  it.effect("is told again by a worker that stops, whose hold on the message may have been forgotten as well", () =>
    Effect.gen(function* () {
      const { forget, journal, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs(slowly)
      const first = yield* start()
      const id = yield* send()
      yield* seconds(2)
      yield* forget(id)
      yield* first.stop
      yield* first.hurry
      yield* seconds(2)
      assert.strictEqual(Option.getOrThrow((yield* journal.find(id)).entry)._tag, "Submitted")
    })
  )

  it.effect("does not make an uncertain submit a new one: it waits its grace, and is made again once", () =>
    Effect.gen(function* () {
      const { failure, forget, ledger, script, seconds, send, start } = yield* makeWorld
      yield* script.submits("lost", "lost", "accepted")
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      yield* forget(id)
      yield* seconds(50)
      assert.strictEqual((yield* ledger).length, 1)
      yield* seconds(30)
      assert.strictEqual((yield* ledger).length, 2)
      yield* forget(id)
      yield* seconds(200)
      assert.match((yield* failure(id)).message, /lost 2 times/)
      assert.strictEqual((yield* ledger).length, 2)
    })
  )

  it.effect("has nothing to be told once fal has said that it made no picture", () =>
    Effect.gen(function* () {
      const { left, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs({ ends: "failed", after: 1000, type: "runner_disconnected" })
      yield* start({ chance: 0.9 })
      const id = yield* send()
      yield* seconds(2.2)
      const [waiting] = (yield* left).scheduled
      assert.isUndefined(told(waiting!.raw))
      yield* seconds(20)
      yield* success(id)
    })
  )
})

describe("an entry that cannot be read", () => {
  for (const [requestId, says] of [
    ["r-9", /fal request r-9/],
    [null, /look for it in fal's history/]
  ] as const)
    it.effect(`is never a reason to buy, and is given up after the task's retries (${requestId ?? "no request id"})`, () =>
      Effect.gen(function* () {
        const { counts, failure, ledger, seconds, send, spoilt, start } = yield* makeWorld
        yield* start({ env: { TASK_MAX_RETRIES: "3" } })
        spoilt.entries.set("spoilt", requestId)
        const id = yield* send({ id: "spoilt" })
        yield* seconds(600)
        assert.match((yield* failure(id)).message, says)
        assert.strictEqual((yield* ledger).length, 0)
        assert.deepStrictEqual(yield* counts, empty)
      })
    )

  it.effect("is given up too where the message knows no more than that a picture was asked for", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, script, seconds, send, spoilt, start } = yield* makeWorld
      yield* script.submits("lost")
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      spoilt.entries.set(id, null)
      yield* seconds(3600)
      assert.match((yield* failure(id)).message, /cannot be read/)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("does not keep a picture from its client that this process has bought", () =>
    Effect.gen(function* () {
      const { counts, ledger, script, seconds, send, spoilt, start, success } = yield* makeWorld
      yield* script.jobs(slowly)
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      spoilt.entries.set(id, null)
      yield* seconds(30)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("a journal whose clock", () => {
  for (const ahead of [-100_000, 100_000])
    it.effect(`is ${ahead / 1000} s off lets no grace be taken for over`, () =>
      Effect.gen(function* () {
        const { ledger, script, seconds, send, spoilt, start, success } = yield* makeWorld
        yield* script.submits("lost")
        spoilt.ahead = ahead
        yield* start()
        const id = yield* send()
        yield* seconds(57)
        assert.strictEqual((yield* ledger).length, 1)
        yield* seconds(30)
        assert.strictEqual((yield* ledger).length, 2)
        const { processing_time_ms: took } = yield* success(id)
        assert.isBelow(Number(took), 5000)
      })
    )
})

describe("a worker whose clock jumps ahead", () => {
  it.effect("does not take the grace of a lost submit for over: the journal's clock measures it", () =>
    Effect.gen(function* () {
      const { ledger, script, seconds, send, spoilt, start, success } = yield* makeWorld
      yield* script.submits("lost")
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      spoilt.ahead = -50_000 // as of now the worker's clock is 50 s further than it was
      yield* seconds(65)
      assert.strictEqual((yield* ledger).length, 1)
      yield* seconds(60)
      assert.strictEqual((yield* ledger).length, 2)
      yield* success(id)
    })
  )
})

describe("a task that has begun", () => {
  it.effect("does not expire while its paid picture waits for the database", () =>
    Effect.gen(function* () {
      const { away, counts, ledger, rows, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ expires: "1970-01-01T00:00:20+00:00" })
      yield* seconds(1)
      away.database = true
      yield* seconds(60)
      away.database = false
      yield* seconds(120)
      yield* success(id)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("does not expire when its worker dies, and does when it has not begun", () =>
    Effect.gen(function* () {
      const { ledger, result, script, seconds, send, start, success } = yield* makeWorld
      yield* script.jobs(slowly)
      const expires = "1970-01-01T00:00:10+00:00"
      const first = yield* start()
      const [begun, late] = [yield* send({ expires }), yield* send({ expires })]
      yield* seconds(5)
      yield* first.kill
      yield* seconds(10)
      yield* start()
      yield* seconds(60)
      yield* success(begun)
      assert.strictEqual((yield* result(late))?.status, "REVOKED")
      assert.strictEqual((yield* ledger).length, 1)
    })
  )

  it.effect("expires only when the journal has said that it had not begun", () =>
    Effect.gen(function* () {
      const { away, counts, result, seconds, send, start } = yield* makeWorld
      away.journal = true
      yield* start()
      const id = yield* send({ expires: "1970-01-01T00:00:00+00:00" })
      yield* seconds(12)
      assert.isUndefined(yield* result(id))
      away.journal = false
      yield* seconds(10)
      assert.strictEqual((yield* result(id))?.status, "REVOKED")
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("does not wait for another turn at its kind's rate limit", () =>
    Effect.gen(function* () {
      const { call, script, seconds, send, start, success } = yield* makeFleet
      yield* script.jobs({ ends: "picture", after: 3000 }, slowly)
      const second = yield* start("w2@host")
      yield* call({ method: "rate_limit", arguments: { task_name: "generate_model", rate_limit: "1/h" } })
      const turn = yield* send() // uses up the turn of an hour
      yield* seconds(10)
      yield* success(turn)
      yield* second.freeze
      const first = yield* start("w1@host")
      const id = yield* send()
      yield* seconds(3)
      yield* first.kill
      yield* second.thaw
      yield* seconds(90)
      yield* success(id)
    })
  )

  it.effect("and is revoked loses its picture, which is counted as thrown away", () =>
    Effect.gen(function* () {
      const { ask, away, metric, result, rows, seconds, send, start } = yield* makeFleet
      yield* start()
      const id = yield* send()
      yield* seconds(1)
      away.database = true
      yield* seconds(10)
      yield* ask("revoke", { task_id: id })
      yield* seconds(120)
      away.database = false
      yield* seconds(60)
      assert.strictEqual((yield* result(id))?.status, "REVOKED")
      assert.strictEqual((yield* rows()).length, 0)
      assert.strictEqual(yield* metric('paid_thrown_away_total{endpoint="fal-ai/flux/dev"}'), 1)
    })
  )
})

describe("a request that fal says it does not know", () => {
  it.effect("is not made again while its result may be there: that is asked for itself once more", () =>
    Effect.gen(function* () {
      const { counts, ledger, script, seconds, send, start, success } = yield* makeWorld
      // The seven looks that are believed, a result that cannot be reached; and after the grace one more look.
      yield* script.looks(...Array.from({ length: 7 }, () => "unknown" as const), "unreachable", "unknown")
      yield* start()
      const id = yield* send()
      yield* seconds(200)
      yield* success(id)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("an answer for the client", () => {
  it.effect("that fal refuses the request does not wait for a journal that is away", () =>
    Effect.gen(function* () {
      const { away, failure, journal, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "refused", after: 3000, type: "no" })
      yield* start()
      const id = yield* send()
      yield* seconds(1)
      away.journal = true
      yield* seconds(5)
      assert.strictEqual((yield* failure(id)).type, "ContentRefused")
      assert.strictEqual(yield* journal.inFlight, 1)
      away.journal = false
      yield* seconds(5)
      assert.strictEqual(yield* journal.inFlight, 0, "and the place is free when the journal is back")
    })
  )

  it.effect("that fal refuses the submit does not either", () =>
    Effect.gen(function* () {
      const { away, failure, journal, script, seconds, send, start } = yield* makeWorld
      yield* script.submits({ refused: "no such pose", after: 3000 })
      yield* start()
      const id = yield* send()
      yield* seconds(1)
      away.journal = true
      yield* seconds(5)
      assert.match((yield* failure(id)).message, /no such pose/)
      away.journal = false
      yield* seconds(5)
      assert.strictEqual(yield* journal.inFlight, 0)
    })
  )
})

describe("a request that nobody can find", () => {
  it.effect("is no longer in flight once that is written down, however late that is", () =>
    Effect.gen(function* () {
      const { failure, journal, script, seconds, send, start, unanswered } = yield* makeWorld
      yield* script.submits("unnamed")
      unanswered.push("advance")
      yield* start()
      const id = yield* send()
      yield* seconds(5)
      assert.match((yield* failure(id)).message, /no request id/)
      assert.strictEqual(yield* journal.inFlight, 0)
    })
  )
})

describe("a large picture to edit", () => {
  it.effect("is not kept in the journal, nor in the message, and a submit made again sends it whole", () =>
    Effect.gen(function* () {
      const { journal, ledger, left, script, seconds, send, start, success } = yield* makeWorld
      const image_url = `data:image/png;base64,${"A".repeat(5_000_000)}`
      yield* script.submits("lost")
      yield* start()
      const kwargs = { model: { template_id: "t", image_url, gender: "female" }, prompt: "a hat", seed: 5 }
      const id = yield* send({ task: "edit_model", kwargs })
      yield* seconds(5)
      const { entry } = yield* journal.find(id)
      assert.isBelow(JSON.stringify(Option.getOrThrow(entry)).length, 3000)
      const [waiting] = (yield* left).scheduled
      assert.isBelow(waiting!.raw.length - JSON.stringify([[], kwargs, null]).length * (4 / 3), 6000)
      yield* seconds(90)
      yield* success(id)
      assert.deepStrictEqual(
        (yield* ledger).map(({ input }) => [input["image_url"] === image_url, input["seed"]]),
        [
          [true, 5],
          [true, 5]
        ]
      )
    })
  )
})

describe("an edit that is paid", () => {
  it.effect("needs its source no more: not that it is there, nor that the database answers a second time", () =>
    Effect.gen(function* () {
      const { away, ledger, library, script, seconds, send, start, success } = yield* makeWorld
      yield* start({ env: { TASK_MAX_RETRIES: "2" } })
      const made = yield* send()
      yield* seconds(5)
      const source = yield* success(made)
      yield* script.jobs(slowly)
      const id = yield* send({ task: "edit_model", kwargs: { prompt: "a hat", template_id: source["template_id"] } })
      yield* seconds(10)
      away.database = true
      yield* seconds(900)
      // Meanwhile another hand made the source's next version.
      yield* library.save({
        templateId: String(source["template_id"]),
        version: null,
        imageUrl: "https://elsewhere.example/1.jpg",
        thumbnailUrl: null,
        gender: null,
        ageRange: null,
        bodyType: null,
        pose: null,
        style: null,
        prompt: null,
        metadata: null,
        falRequestId: "elsewhere",
        processingTimeMs: null
      } as never) // a row by hand lacks what ours have
      away.database = false
      yield* seconds(120)
      const edited = yield* success(id)
      assert.strictEqual(edited["version"], 3)
      const row = Option.getOrThrow(yield* library.find({ templateId: String(source["template_id"]), version: 3 }))
      assert.deepStrictEqual(row.metadata, {
        seed: Number(edited["seed"]),
        cost_usd: 0.03,
        cost_source: "units",
        edited_from: { id: String(source["id"]), template_id: String(source["template_id"]), version: 1 }
      })
      assert.strictEqual((yield* ledger).length, 2)
    })
  )
})

describe("a task id that is used again", () => {
  it.effect("with other arguments gets a picture of its own, and with the same ones the one it has", () =>
    Effect.gen(function* () {
      const { counts, ledger, rows, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send({ kwargs: { ...five, seed: 1 } })
      yield* seconds(5)
      yield* send({ id, kwargs: { seed: 1, ...five } }) // in another order
      yield* seconds(5)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
      yield* send({ id, kwargs: { ...five, seed: 2 } })
      yield* seconds(5)
      assert.deepStrictEqual(
        (yield* ledger).map(({ input }) => input["seed"]),
        [1, 2]
      )
      assert.strictEqual((yield* rows()).length, 2)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("while the first one's request runs waits for that, and neither loses its picture", () =>
    Effect.gen(function* () {
      const { counts, ledger, rows, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs(slowly)
      yield* start({ env: { WORKER_CONCURRENCY: "2" } })
      const id = yield* send({ kwargs: { ...five, seed: 1 } })
      yield* seconds(2)
      yield* send({ id, kwargs: { ...five, seed: 2 } })
      yield* seconds(120)
      assert.deepStrictEqual(
        (yield* ledger).map(({ input }) => input["seed"]),
        [1, 2]
      )
      assert.strictEqual((yield* rows()).length, 2)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("and fails before it has bought anything leaves the first one's request in flight", () =>
    Effect.gen(function* () {
      const { failure, journal, script, seconds, send, start, success } = yield* makeWorld
      yield* start({ env: { WORKER_CONCURRENCY: "1" } })
      yield* send({ kwargs: { ...five, version: 1 } })
      yield* seconds(5)
      yield* script.jobs(slowly)
      const id = yield* send({ kwargs: { ...five, seed: 1 } })
      yield* seconds(2)
      yield* start()
      yield* send({ id, kwargs: { ...five, version: 1 } })
      yield* seconds(5)
      assert.match((yield* failure(id)).message, /has a version 1 already/)
      assert.strictEqual(yield* journal.inFlight, 1)
      yield* seconds(30)
      yield* success(id)
    })
  )

  it.effect("and whose worker dies before it begins is not taken for the first one's success", () =>
    Effect.gen(function* () {
      const { counts, ledger, rows, seconds, send, start } = yield* makeWorld
      const first = yield* start()
      const id = yield* send({ kwargs: { ...five, seed: 1 } })
      yield* seconds(5)
      yield* first.kill
      yield* start({ death: { at: "intend", when: "before" } })
      yield* send({ id, kwargs: { ...five, seed: 2 } })
      yield* seconds(5)
      yield* start()
      yield* seconds(60)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [2, 2])
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
  it.effect("with other arguments has its own callback sent, and with the same ones no second one", () =>
    Effect.gen(function* () {
      const { result, seconds, send, start } = yield* makeWorld
      yield* start()
      const callback = (id: string) => ({
        callbacks: [{ task: "health_check", args: [], kwargs: {}, options: { task_id: id }, subtask_type: null, immutable: true }]
      })
      const id = yield* send({ kwargs: { ...five, seed: 1 }, embed: callback("first") })
      yield* seconds(5)
      yield* send({ id, kwargs: { ...five, seed: 1 }, embed: callback("second") })
      yield* seconds(5)
      yield* send({ id, kwargs: { ...five, seed: 2 }, embed: callback("third") })
      yield* seconds(5)
      const ended = []
      for (const name of ["first", "second", "third"]) ended.push((yield* result(name))?.status)
      assert.deepStrictEqual(ended, ["SUCCESS", undefined, "SUCCESS"])
    })
  )

  it.effect("for another batch has that sent too", () =>
    Effect.gen(function* () {
      const { ledger, seconds, send, start } = yield* makeWorld
      yield* start({ env: { WORKER_CONCURRENCY: "5" } })
      const id = yield* send({ task: "batch_generate", kwargs: { count: 1, seed: 1 } })
      yield* seconds(5)
      yield* send({ id, task: "batch_generate", kwargs: { count: 1, seed: 1 } })
      yield* seconds(5)
      assert.strictEqual((yield* ledger).length, 1)
      yield* send({ id, task: "batch_generate", kwargs: { count: 1, seed: 2 } })
      yield* seconds(5)
      assert.deepStrictEqual(
        (yield* ledger).map(({ input }) => input["seed"]),
        [1, 2]
      )
    })
  )
})
