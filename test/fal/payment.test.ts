/** Ways to pay twice, each told by the simulator's ledger. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Fleet } from "../../src/services/Fleet.ts"
import { message } from "../support.ts"
import { empty, five } from "../programs/world.ts"
import { stage } from "./stage.ts"

describe.concurrent("hazards of paying twice", () => {
  it.effect("1 client re-POSTs after a lost answer: it never does", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, simulator, start } = yield* stage()
      yield* simulator.setFaults({ route: "submit", kind: "accept-then-gateway", times: 9 })
      yield* start()
      yield* send()
      yield* pass(14) // the whole grace of a gateway's answer
      assert.strictEqual((yield* simulator.calls).submit, 1)
      assert.deepStrictEqual(yield* outcomes, ["picture"])
    })
  )

  it.effect("2 the framework retries the whole task: the picture is kept, and the save alone repeated", () =>
    Effect.gen(function* () {
      const { away, outcomes, pass, result, rows, send, simulator, start, success } = yield* stage()
      yield* start()
      const id = yield* send()
      away.database = true
      yield* pass(300, 5)
      assert.strictEqual((yield* result(id))!.status, "RETRY")
      away.database = false
      yield* pass(70, 5)
      yield* success(id)
      assert.strictEqual((yield* simulator.calls).submit, 1)
      assert.deepStrictEqual([yield* outcomes, (yield* rows()).length], [["picture"], 1])
    })
  )

  const dies = (
    name: string,
    death: { readonly at: string; readonly when: "before" | "after" },
    env: Record<string, string>,
    executed: number,
    ends: "picture" | "GenerationError"
  ) =>
    it.effect(`3 crash between the POST and saving the id: ${name}`, () =>
      Effect.gen(function* () {
        const { counts, failure, outcomes, pass, rows, send, start, success } = yield* stage({}, env)
        yield* start({ death })
        const id = yield* send()
        yield* pass(5)
        yield* start()
        yield* pass(50)
        assert.isAtMost((yield* outcomes).length, 1)
        yield* pass(120, 2)
        if (ends === "picture") yield* success(id)
        else assert.strictEqual((yield* failure(id)).type, ends)
        assert.strictEqual((yield* outcomes).length, executed)
        assert.strictEqual((yield* rows()).length, ends === "picture" ? 1 : 0)
        assert.deepStrictEqual(yield* counts, empty)
      })
    )
  dies("before the POST, one is made", { at: "submit", when: "before" }, {}, 1, "picture")
  dies("after it, one more after the grace", { at: "submit", when: "after" }, {}, 2, "picture")
  dies(
    "after it, FAL_UNCERTAIN=fail: none more",
    { at: "submit", when: "after" },
    { FAL_UNCERTAIN: "fail" },
    1,
    "GenerationError"
  )

  it.effect("4 the id is written down before anything waits for it: whoever comes next re-attaches", () =>
    Effect.gen(function* () {
      const { metric, outcomes, pass, rows, send, simulator, start, success } = yield* stage()
      yield* start({ death: { at: "progress", when: "before" } })
      const id = yield* send()
      yield* pass(5)
      yield* start()
      yield* pass(60)
      yield* success(id)
      assert.deepStrictEqual([yield* outcomes, (yield* rows()).length], [["picture"], 1])
      assert.strictEqual((yield* simulator.calls).submit, 1)
      assert.strictEqual(yield* metric("generations_reattached_total"), 1)
    })
  )

  it.effect("5 our deadline is shorter than the queue: cancelled and watched to its end, never sent again", () =>
    Effect.gen(function* () {
      const { failure, journal, outcomes, paid, pass, send, simulator, start } = yield* stage({ concurrency: 0 })
      yield* start()
      const id = yield* send()
      yield* pass(260, 2)
      assert.strictEqual((yield* failure(id)).type, "SoftTimeLimitExceeded")
      assert.deepStrictEqual(yield* outcomes, ["client_cancelled"])
      assert.strictEqual(yield* paid, 0)
      assert.deepInclude(yield* simulator.calls, { submit: 1, cancel: 1 })
      assert.strictEqual(yield* journal.inFlight, 0)
    })
  )
  it.effect("5 one that completes although it was asked to cancel is used: it is paid", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, simulator, start, success } = yield* stage({ pictureSeconds: 245, cancelRunning: "finish" })
      yield* start()
      const id = yield* send()
      yield* pass(280, 2)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["picture"])
      assert.deepInclude(yield* simulator.calls, { submit: 1, cancel: 1 })
    })
  )
  it.effect("5 a cancel without an answer is given up after 10 s", () =>
    Effect.gen(function* () {
      const { failure, pass, send, simulator, start } = yield* stage({ concurrency: 0 })
      yield* simulator.setFaults({ route: "cancel", kind: "hang" })
      yield* start({ env: { TASK_SOFT_TIME_LIMIT: "20", TASK_TIME_LIMIT: "50" } })
      const id = yield* send()
      yield* pass(60)
      assert.match((yield* failure(id)).type, /TimeLimitExceeded/)
      assert.strictEqual((yield* simulator.calls).submit, 1)
    })
  )

  it.effect("6 abort or shutdown: no cancel is sent, and the next process re-attaches", () =>
    Effect.gen(function* () {
      const { outcomes, pass, result, rows, send, simulator, start, success } = yield* stage({ pictureSeconds: 60 })
      const first = yield* start()
      const id = yield* send()
      yield* pass(10)
      const stopping = yield* first.stop
      yield* first.hurry
      yield* pass(3)
      yield* Fiber.join(stopping)
      assert.isUndefined(yield* result(id))
      assert.strictEqual((yield* simulator.calls).cancel, 0)
      yield* start()
      yield* pass(70)
      yield* success(id)
      assert.deepStrictEqual([yield* outcomes, (yield* rows()).length], [["picture"], 1])
    })
  )

  it.effect("7 5xx at the result, a database away and a picture that is gone: none of them is a reason to buy again", () =>
    Effect.gen(function* () {
      const { away, outcomes, pass, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults(
        { route: "submit", kind: "job-lost-media" },
        { route: "result", kind: "gateway", status: 504, times: 10 }
      )
      away.database = true
      yield* start()
      const id = yield* send()
      yield* pass(120, 2)
      away.database = false
      yield* pass(70, 2)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["picture"])
      assert.strictEqual((yield* simulator.calls).submit, 1)
    })
  )

  it.effect("8 the result's window: a worker dead for five minutes after the submit still finds it", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, start, success } = yield* stage({ resultSeconds: 360 })
      const first = yield* start()
      const id = yield* send()
      yield* pass(1)
      yield* first.kill
      yield* pass(300, 10)
      yield* start()
      yield* pass(40)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["picture"])
    })
  )

  it.effect("9 two workers own one job: one of them submits", () =>
    Effect.gen(function* () {
      const { counts, outcomes, pass, pushRaw, rows, simulator, start, success } = yield* stage({ pictureSeconds: 10 })
      yield* start()
      yield* start()
      const { raw } = message({ id: "twice", task: "generate_model", kwargs: five })
      yield* pushRaw(raw)
      yield* pushRaw(raw)
      yield* pass(150, 2)
      yield* success("twice")
      assert.strictEqual((yield* simulator.calls).submit, 1)
      assert.deepStrictEqual([yield* outcomes, (yield* rows()).length, yield* counts], [["picture"], 1, empty])
    })
  )

  it.effect("10 two finish the same request: one row, by its request id", () =>
    Effect.gen(function* () {
      const { counts, metric, outcomes, pass, pushRaw, rows, start, success } = yield* stage({ pictureSeconds: 30 })
      yield* start()
      const { raw } = message({ id: "both", task: "generate_model", kwargs: five })
      yield* pushRaw(raw)
      yield* pass(5)
      yield* start() // finds the submitted one, and waits for it beside the first
      yield* pushRaw(raw)
      yield* pass(120, 2)
      yield* success("both")
      assert.strictEqual(yield* metric("generations_reattached_total"), 1)
      assert.deepStrictEqual([yield* outcomes, (yield* rows()).length, yield* counts], [["picture"], 1, empty])
    })
  )

  it.effect("11 fal's own retries only take longer, and are not ours to repeat", () =>
    Effect.gen(function* () {
      const { outcomes, paid, pass, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults({ route: "submit", kind: "job-slow", ms: 90_000 })
      yield* start()
      const id = yield* send()
      yield* pass(110, 2)
      yield* success(id)
      assert.deepStrictEqual([yield* outcomes, yield* paid], [["picture"], 1])
    })
  )

  it.effect("12 size and number of pictures: one picture of one megapixel, whatever the sender wishes", () =>
    Effect.gen(function* () {
      const { failure, pass, send, simulator, start, success } = yield* stage()
      yield* start()
      const id = yield* send()
      const wish = yield* send({ kwargs: { ...five, num_images: 4, image_size: "square_hd" } })
      yield* pass(20)
      const { height, width } = yield* success(id)
      assert.deepStrictEqual([width, height], [768, 1024])
      assert.strictEqual((yield* failure(wish)).type, "ValidationError")
      assert.deepStrictEqual(
        (yield* simulator.ledger).map(({ simulatedCost, units }) => [units, simulatedCost]),
        [[1, 0.025]]
      )
    })
  )

  it.effect("13 run() has no id: only the queue is used, one submit, its status and its result", () =>
    Effect.gen(function* () {
      const { pass, send, simulator, start, success } = yield* stage()
      yield* start()
      const id = yield* send()
      yield* pass(20)
      const { fal_request_id } = yield* success(id)
      assert.strictEqual((yield* simulator.ledger)[0]!.requestId, fal_request_id)
      assert.deepInclude(yield* simulator.calls, { submit: 1, result: 1, cancel: 0, stream: 0, media: 0 })
    })
  )
})

describe.concurrent("what is not a picture", () => {
  it.effect("a health check is answered within its second though fal hangs", () =>
    Effect.gen(function* () {
      const { pass, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults({ route: "status", kind: "hang", times: 9 })
      yield* start()
      const id = yield* send({ task: "health_check", kwargs: {} })
      yield* pass(1, 0.25)
      assert.deepInclude(yield* success(id), { status: "degraded" })
    })
  )

  it.effect("a pause is told as an event when it begins and when it ends", () =>
    Effect.gen(function* () {
      const told: Array<unknown> = []
      const { pass, send, simulator, start, success } = yield* stage({ locked: true })
      yield* start({ name: "celery@one" }).pipe(
        Effect.provideService(Fleet, {
          ...Fleet.defaultValue(),
          publish: (key, body) =>
            Effect.sync(() => void (/paused|resumed/.test(key) && told.push([key, (body as { reason: unknown }).reason]))) // as we say it
        })
      )
      const id = yield* send()
      yield* pass(10)
      const why = "fal account: fal answered 403: User is locked. Reason: Exhausted balance."
      assert.deepStrictEqual(told, [["worker.paused", why]])
      yield* simulator.configure({ locked: false })
      yield* pass(20)
      yield* success(id)
      assert.deepStrictEqual(told, [
        ["worker.paused", why],
        ["worker.resumed", ""]
      ])
    })
  )
})
