/** The rows of docs/fal.md that errors.test.ts does not have: answers in odd forms, without an id, without an end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Fault } from "../../src/fal-simulator/Fault.ts"
import type { Odd } from "../../src/fal-simulator/odd.ts"
import type { GeneratorError } from "../../src/services/Generator.ts"
import { falOver } from "../layers/falOver.ts"
import { empty, five } from "../programs/world.ts"
import { stage } from "./stage.ts"

const flux = "fal-ai/flux/dev"
const input = { prompt: "Fashion model, male", seed: 3, image_size: "portrait_4_3" }
const jobTime = TestClock.adjust("3 seconds")
const reasonOf = <A, R>(effect: Effect.Effect<A, GeneratorError, R>) => Effect.map(Effect.flip(effect), ({ reason }) => reason)
const wasted = `billable_units_total{endpoint="${flux}",use="wasted"}`
const used = `billable_units_total{endpoint="${flux}",use="used"}`

/** A whole worker makes one picture, pays once, and sends one POST. */
const onePicture = (title: string, ...faults: ReadonlyArray<Fault>) =>
  it.effect(`${title} → one picture, paid once`, () =>
    Effect.gen(function* () {
      const { counts, metric, outcomes, pass, rows, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults(...faults)
      yield* start()
      const id = yield* send({ kwargs: { ...five, seed: 11 } })
      yield* pass(20)
      assert.strictEqual((yield* success(id))["seed"], 11)
      assert.deepStrictEqual([yield* outcomes, (yield* rows()).length, yield* metric(used)], [["picture"], 1, 1])
      assert.strictEqual((yield* simulator.calls).submit, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

/** A whole worker fails the task, counts the money and never sends another POST. */
const paidAndFailed = (title: string, type: string, message: RegExp, ...faults: ReadonlyArray<Fault>) =>
  it.effect(`${title} → ${type}, its money counted, never asked again`, () =>
    Effect.gen(function* () {
      const { counts, failure, journal, metric, outcomes, pass, rows, send, simulator, start } = yield* stage()
      yield* simulator.setFaults(...faults)
      yield* start()
      const id = yield* send()
      yield* pass(35)
      const failed = yield* failure(id)
      assert.strictEqual(failed.type, type)
      assert.match(failed.message, message)
      yield* pass(300, 10)
      assert.deepStrictEqual([(yield* outcomes).length, yield* metric(wasted), (yield* rows()).length], [1, 1, 0])
      assert.strictEqual((yield* simulator.calls).submit, 1)
      assert.deepStrictEqual([yield* counts, yield* journal.inFlight], [empty, 0])
    })
  )

describe.concurrent("a submit answered 2xx is an acceptance", () => {
  const found: ReadonlyArray<Omit<Fault, "route">> = [
    { kind: "id-in-header" },
    { kind: "id-in-addresses" },
    { kind: "id-in-beginning" },
    { kind: "accept-then-truncate" },
    { kind: "text" },
    { kind: "huge" },
    { kind: "bomb" },
    { kind: "endless" }
  ]
  for (const fault of found) onePicture(`S2 ${fault.kind}: the id is found`, { ...fault, route: "submit" })
  for (const type of ["a b", "a/b?c#d", "ä%20", "x".repeat(100)])
    onePicture(`S2 the id ${type.slice(0, 10)}`, { route: "submit", kind: "job-named", type })

  it.effect("S2 an answer that never ends is given up after 30 s, and its header names the request", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults({ route: "submit", kind: "trickle" })
      yield* start()
      const id = yield* send()
      yield* pass(45)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["picture"])
    })
  )

  const nameless: ReadonlyArray<Omit<Fault, "route">> = [{ kind: "no-id" }, { kind: "accept-then-html" }]
  for (const fault of nameless)
    paidAndFailed(`S3 ${fault.kind}`, "GenerationError", /named no request id/, { ...fault, route: "submit" })
  paidAndFailed("S3 an id that no column holds", "GenerationError", /named no request id/, {
    route: "submit",
    kind: "job-named",
    type: "x".repeat(300)
  })

  it.effect("S3 a worker that dies as it fails the task does not make the request again", () =>
    Effect.gen(function* () {
      const { failure, metric, outcomes, pass, send, simulator, start } = yield* stage()
      yield* simulator.setFaults({ route: "submit", kind: "no-id" })
      yield* start({ death: { at: "store", when: "before" } })
      const id = yield* send()
      yield* pass(5)
      yield* start()
      yield* pass(200, 5)
      assert.match((yield* failure(id)).message, /named no request id/)
      assert.deepStrictEqual([yield* outcomes, yield* metric(wasted)], [["picture"], 1])
    })
  )

  it.effect("S3 five in a row suspend the submits: whatever answers is not asked for the rest of the queue", () =>
    Effect.gen(function* () {
      const { counts, pass, send, simulator, start } = yield* stage()
      yield* simulator.setFaults({ route: "submit", kind: "html", times: 1000 }, { route: "status", kind: "html", times: 1000 })
      yield* start()
      for (let n = 0; n < 12; n++) yield* send()
      yield* pass(60)
      assert.strictEqual((yield* simulator.calls).submit, 5)
      const { queued, running, scheduled } = yield* counts
      assert.strictEqual(queued + running + scheduled, 7)
    })
  )
})

describe.concurrent("a request is asked about where fal said", () => {
  onePicture("S4 elsewhere than the endpoint's name says", { route: "submit", kind: "job-elsewhere" })
  onePicture("S4 on another host: not asked there, but where the endpoint's name says", { route: "submit", kind: "other-host" })

  for (const endpoint of ["fal-ai/flux-2/klein/9b", "workflows/acme/lookbook", "comfy/acme/lookbook/v2"])
    for (const addresses of [true, false])
      it.effect(
        `S4 ${endpoint}, ${addresses ? "at fal's addresses" : "with a ticket that has none, as older versions wrote"}`,
        () =>
          Effect.gen(function* () {
            const { generator, simulator } = yield* falOver()
            const { paths, ...bare } = yield* generator.submit({ endpoint, input })
            assert.isDefined(paths)
            const ticket = addresses ? { ...bare, paths } : bare
            yield* jobTime
            assert.strictEqual((yield* generator.progress(ticket))._tag, "Ended")
            assert.strictEqual((yield* generator.result(ticket)).seed, 3)
            assert.strictEqual(yield* generator.cancel(ticket), "ended")
            assert.strictEqual((yield* simulator.ledger).length, 1)
          })
      )

  it.effect("S4 the key goes to fal alone, whatever the ticket says", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const ticket = yield* generator.submit({ endpoint: flux, input })
      yield* jobTime
      const paths = { status: "//127.0.0.1:1/status", result: "@127.0.0.1:1/result" }
      for (const call of [generator.progress({ ...ticket, paths }), generator.result({ ...ticket, paths })])
        assert.strictEqual((yield* reasonOf<unknown, never>(call))._tag, "Unknown", "answered by the simulator")
      assert.strictEqual((yield* simulator.calls).submit, 1)
    })
  )
})

describe.concurrent("a submit that was refused", () => {
  for (const kind of ["busy", "busy-until"] as const)
    it.effect(`S8 ${kind}: Retry-After is obeyed, and no other task asks this endpoint meanwhile`, () =>
      Effect.gen(function* () {
        const { outcomes, pass, result, send, simulator, start, success } = yield* stage()
        yield* simulator.setFaults({ route: "submit", kind, ms: 90_000 })
        yield* start()
        const id = yield* send()
        yield* pass(1)
        const ids = [id, yield* send(), yield* send()]
        yield* pass(87)
        assert.strictEqual((yield* result(id))!.status, "RETRY")
        assert.deepStrictEqual([(yield* simulator.calls).submit, yield* outcomes], [1, []])
        yield* pass(60)
        for (const each of ids) yield* success(each)
        assert.deepStrictEqual(yield* outcomes, ["picture", "picture", "picture"])
      })
    )
  it.effect("S8 nobody is made to wait for more than an hour", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const waits = Effect.map(
        reasonOf(generator.submit({ endpoint: flux, input })),
        (reason) => "retryAfter" in reason && reason.retryAfter
      )
      for (const [kind, ms, seconds] of [
        ["busy", 90_000, 90],
        ["busy-until", 90_000, 90],
        ["busy", 86_400_000, 3600],
        ["busy-until", 86_400_000, 3600],
        ["busy-until", -90_000, 0]
      ] as const) {
        yield* simulator.setFaults({ route: "submit", kind, ms })
        assert.strictEqual(yield* waits, seconds)
      }
    })
  )

  it.effect("S9 and S10 whose a refusal is: the account's, or the endpoint's", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const scopeOf = Effect.fnUntraced(function* (status: number, type?: string) {
        yield* simulator.setFaults({ route: "submit", kind: "error", status, ...(type === undefined ? {} : { type }) })
        const reason = yield* reasonOf(generator.submit({ endpoint: flux, input }))
        return reason._tag === "AccountProblem" ? [reason.scope, reason.endpoint] : [reason._tag]
      })
      for (const status of [401, 402, 407]) assert.deepStrictEqual(yield* scopeOf(status), ["account", flux])
      assert.deepStrictEqual(yield* scopeOf(403, "User is locked. Reason: Exhausted balance."), ["account", flux])
      for (const status of [403, 404, 405, 410]) assert.deepStrictEqual(yield* scopeOf(status), ["endpoint", flux])
    })
  )

  it.effect("S10 a refusal of one endpoint says nothing of another", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      yield* simulator.setFaults({ route: "submit", kind: "error", status: 403, endpoint: "fal-ai/flux/schnell", times: 9 })
      assert.strictEqual((yield* reasonOf(generator.submit({ endpoint: "fal-ai/flux/schnell", input })))._tag, "AccountProblem")
      yield* generator.submit({ endpoint: flux, input })
      assert.strictEqual((yield* simulator.ledger).length, 1)
    })
  )

  for (const status of [301, 307, 308])
    it.effect(`S11 ${status}: not followed, and said to be a matter of FAL_BASE_URL`, () =>
      Effect.gen(function* () {
        const { generator, simulator } = yield* falOver()
        yield* simulator.setFaults({ route: "submit", kind: "redirect", status })
        const reason = yield* reasonOf(generator.submit({ endpoint: flux, input }))
        assert.deepInclude(reason, { _tag: "AccountProblem", status, scope: "account" })
        assert.match(reason.detail, /https:\/\/other\.example: FAL_BASE_URL/)
      })
    )
  for (const status of [302, 303])
    it.effect(`S7 ${status}: something may have been done before the redirect`, () =>
      Effect.gen(function* () {
        const { generator, simulator } = yield* falOver()
        yield* simulator.setFaults({ route: "submit", kind: "redirect", status })
        assert.strictEqual((yield* reasonOf(generator.submit({ endpoint: flux, input })))._tag, "Uncertain")
      })
    )
  it.effect("S6 headers longer than we read are no answer", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      yield* simulator.setFaults({ route: "submit", kind: "long-headers" })
      assert.strictEqual((yield* reasonOf(generator.submit({ endpoint: flux, input })))._tag, "Uncertain")
    })
  )
})

describe.concurrent("how an answer is sent makes no difference", () => {
  const ways: ReadonlyArray<Omit<Fault, "route">> = [
    ...["gzip", "deflate", "deflate-raw", "br", "zstd"].map((type) => ({ kind: "encoded", type }) as const),
    { kind: "misencoded" },
    { kind: "byte-order-mark" },
    { kind: "no-content-type" },
    { kind: "twice" },
    { kind: "hints" }
  ]
  for (const way of ways) {
    const both = (routes: ReadonlyArray<"submit" | "status" | "result">) =>
      routes.map((route): Fault => ({ ...way, route, times: 9 }))
    onePicture(`S13 and R16 ${way.kind} ${way.type ?? ""}`, ...both(["submit", "status", "result"]))
  }
})

describe.concurrent("while it runs", () => {
  it.effect("W1 a request that waits or runs is looked at again, under 200 as under 202", () =>
    Effect.gen(function* () {
      for (const waitingStatus of [200, 202] as const) {
        const { generator } = yield* falOver({ waitingStatus, concurrency: 1 })
        const [first, second] = [
          yield* generator.submit({ endpoint: flux, input }),
          yield* generator.submit({ endpoint: flux, input })
        ]
        assert.strictEqual((yield* generator.progress(first))._tag, "Running")
        assert.deepStrictEqual(yield* generator.progress(second), { _tag: "Queued", position: 0 })
      }
    })
  )

  it.effect("W2 a status in small letters, or with its numbers in quotes, is the same status", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const ticket = yield* generator.submit({ endpoint: flux, input })
      yield* simulator.setFaults({ route: "status", kind: "odd", type: "status-small" })
      assert.strictEqual((yield* generator.progress(ticket))._tag, "Running")
      yield* jobTime
      yield* simulator.setFaults({ route: "status", kind: "odd", type: "status-numbers" })
      assert.deepStrictEqual(yield* generator.progress(ticket), { _tag: "Ended", inferenceSeconds: 2.5 })
    })
  )

  for (const type of ["status-unknown", "status-missing"])
    it.effect(`W4 ${type}: 202 says that it goes on, and 200 that it has ended`, () =>
      Effect.gen(function* () {
        const { generator, simulator } = yield* falOver()
        yield* simulator.setFaults({ route: "status", kind: "odd", type, times: 2 })
        const ticket = yield* generator.submit({ endpoint: flux, input })
        assert.strictEqual((yield* generator.progress(ticket))._tag, "Running")
        yield* jobTime
        assert.strictEqual((yield* generator.progress(ticket))._tag, "Ended")
      })
    )
  onePicture("W4 a status that no worker knows", { route: "status", kind: "odd", type: "status-unknown", times: 99 })

  for (const kind of ["huge", "bomb", "endless"] as const)
    onePicture(`W9 ${kind}: read up to 2 MB, then as a status that no worker knows`, { route: "status", kind, times: 9 })

  it.effect("W3 COMPLETED with an error of which fal keeps no result: the status's own words count, and it is asked again", () =>
    Effect.gen(function* () {
      const { metric, outcomes, pass, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults({ route: "submit", kind: "job-forgotten", type: "runner_disconnected" })
      yield* start()
      const id = yield* send()
      yield* pass(40)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["runner_disconnected", "picture"])
      assert.isUndefined(yield* metric('generations_uncertain_ended_total{how="resubmitted"}'))
    })
  )
  it.effect("W3 COMPLETED because somebody cancelled it, with no result: the task fails", () =>
    Effect.gen(function* () {
      const { failure, outcomes, pass, send, simulator, start } = yield* stage()
      yield* simulator.setFaults({ route: "submit", kind: "job-forgotten", type: "client_cancelled" })
      yield* start()
      const id = yield* send()
      yield* pass(40)
      assert.match((yield* failure(id)).message, /was cancelled/)
      assert.deepStrictEqual(yield* outcomes, ["client_cancelled"])
    })
  )

  for (const route of ["status", "result"] as const)
    it.effect(`W5 and R8 a ${route} that is unknown five times to a request that is minutes old is no lost request`, () =>
      Effect.gen(function* () {
        const { outcomes, pass, send, simulator, start, success } = yield* stage({ pictureSeconds: 60 })
        yield* start()
        const id = yield* send()
        yield* pass(55)
        yield* simulator.setFaults({ route, kind: "not-found", times: 5 })
        yield* pass(60)
        yield* success(id)
        assert.deepStrictEqual(yield* outcomes, ["picture"])
        assert.strictEqual((yield* simulator.calls).submit, 1)
      })
    )
  for (const route of ["status", "result"] as const)
    it.effect(
      `W8 and R15 a ${route} that is busy and names a time: the slot is free until then, and the same id is asked about`,
      () =>
        Effect.gen(function* () {
          const { outcomes, pass, result, send, simulator, start, success } = yield* stage()
          yield* simulator.setFaults({ route, kind: "busy", ms: 90_000 })
          yield* start()
          const id = yield* send()
          yield* pass(10)
          assert.strictEqual((yield* result(id))!.status, "RETRY")
          const { result: read, status } = yield* simulator.calls
          yield* pass(80)
          assert.deepInclude(yield* simulator.calls, { result: read, status })
          yield* pass(30)
          yield* success(id)
          assert.deepStrictEqual([yield* outcomes, (yield* simulator.calls).submit], [["picture"], 1])
        })
    )
  it.effect("W8 a cancelled request whose status is busy and names a time is watched all the same", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, simulator, start, success } = yield* stage({ pictureSeconds: 40, cancelRunning: "finish" })
      yield* start({ env: { TASK_SOFT_TIME_LIMIT: "20", TASK_TIME_LIMIT: "120" } })
      const id = yield* send()
      yield* pass(21)
      assert.strictEqual((yield* simulator.calls).cancel, 1)
      yield* simulator.setFaults({ route: "status", kind: "busy", ms: 60_000, times: 3 })
      yield* pass(80)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["picture"])
    })
  )
  it.effect("W11 a status that is unknown for good is outweighed by a result that is there", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults({ route: "status", kind: "not-found", times: 1000 })
      yield* start()
      const id = yield* send()
      yield* pass(60)
      yield* success(id)
      assert.deepStrictEqual([yield* outcomes, (yield* simulator.calls).submit], [["picture"], 1])
    })
  )
  for (const status of [405, 410, 413, 431, 451])
    it.effect(`W8 ${status} that is not fal's harms nothing`, () =>
      Effect.gen(function* () {
        const { generator, simulator } = yield* falOver()
        const ticket = yield* generator.submit({ endpoint: flux, input })
        for (const route of ["status", "result", "cancel"] as const)
          yield* simulator.setFaults({ route, kind: "gateway", status })
        for (const call of [generator.progress(ticket), generator.result(ticket), generator.cancel(ticket)])
          assert.strictEqual((yield* reasonOf<unknown, never>(call))._tag, "Unreachable")
      })
    )
  it.effect("W8 a 404 that is not fal's is trouble on the way", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const ticket = yield* generator.submit({ endpoint: flux, input })
      for (const route of ["status", "result", "cancel"] as const)
        yield* simulator.setFaults({ route, kind: "gateway", status: 404 })
      for (const call of [generator.progress(ticket), generator.result(ticket), generator.cancel(ticket)])
        assert.strictEqual((yield* reasonOf<unknown, never>(call))._tag, "Unreachable")
    })
  )

  it.effect("W7 and R17 a key that is refused at a look pauses the worker, and the request is kept", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, simulator, start, success } = yield* stage()
      yield* start()
      const id = yield* send()
      yield* pass(1)
      yield* simulator.configure({ keyRevoked: true })
      yield* pass(60)
      yield* simulator.configure({ keyRevoked: false })
      yield* pass(330, 5)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["picture"])
      assert.strictEqual((yield* simulator.calls).submit, 1)
    })
  )

  it.effect("W10 a failure that the status itself answers with is read from the result", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      yield* simulator.setFaults({ route: "submit", kind: "job-error", type: "runner_disconnected" })
      const ticket = yield* generator.submit({ endpoint: flux, input })
      yield* jobTime
      yield* simulator.setFaults({ route: "status", kind: "odd", type: "error-inside" })
      assert.strictEqual((yield* generator.progress(ticket))._tag, "Ended")
      assert.strictEqual((yield* reasonOf(generator.result(ticket)))._tag, "JobFailed")
    })
  )
})

/** A picture of 2 s whose worker listens to its stream. */
const streamed = Effect.fnUntraced(function* (faults: ReadonlyArray<Fault>, seconds: number) {
  const there = yield* stage({}, { FAL_WAIT: "stream" })
  yield* there.simulator.setFaults(...faults)
  yield* there.start()
  const id = yield* there.send()
  yield* there.pass(seconds, 0.1)
  const noticed = (by: "stream" | "poll") => there.metric(`fal_ends_noticed_total{by="${by}"}`)
  return { ...there, id, noticed, calls: there.simulator.calls }
})

describe.concurrent("a status stream", () => {
  it.effect("E1 COMPLETED: the result is read, and the status is not asked", () =>
    Effect.gen(function* () {
      const { calls, counts, id, noticed, outcomes, success } = yield* streamed([], 2.5)
      yield* success(id)
      assert.deepInclude(yield* calls, { submit: 1, stream: 1, status: 0, result: 1, cancel: 0 })
      assert.deepStrictEqual([yield* noticed("stream"), yield* noticed("poll")], [1, undefined])
      assert.deepStrictEqual([yield* outcomes, yield* counts], [["picture"], empty])
    })
  )

  it.effect("E1 what the work took is taken from it", () =>
    Effect.gen(function* () {
      const { metric } = yield* streamed([], 2.5)
      assert.strictEqual(yield* metric(`fal_inference_seconds_sum{endpoint="${flux}"}`), 2)
    })
  )

  it.effect("E1 it is found where fal says, and its key goes to fal alone", () =>
    Effect.gen(function* () {
      const { calls, id, noticed, success } = yield* streamed([{ route: "submit", kind: "job-elsewhere" }], 2.5)
      yield* success(id)
      assert.deepStrictEqual([(yield* calls).stream, yield* noticed("stream")], [1, 1])
    })
  )

  it.effect("E2 stream-lies: a picture that is not there is not believed in, and the looks find the end", () =>
    Effect.gen(function* () {
      const { calls, id, noticed, outcomes, success } = yield* streamed([{ route: "stream", kind: "stream-lies" }], 2.5)
      yield* success(id)
      const { result, status, submit } = yield* calls
      assert.deepStrictEqual([submit, result, status > 1], [1, 2, true])
      assert.deepStrictEqual([yield* noticed("poll"), yield* outcomes], [1, ["picture"]])
    })
  )
  it.effect("E2 a result that says nothing yet: the status is asked, and the stream has noticed it", () =>
    Effect.gen(function* () {
      const { calls, id, noticed, outcomes, success } = yield* streamed([{ route: "result", kind: "early" }], 2.5)
      yield* success(id)
      assert.deepInclude(yield* calls, { submit: 1, status: 1, result: 2 })
      assert.deepStrictEqual([yield* noticed("stream"), yield* outcomes], [1, ["picture"]])
    })
  )

  it.effect("E3 COMPLETED with an error: the result says which, without a look at the status", () =>
    Effect.gen(function* () {
      const faults = [{ route: "submit", kind: "job-error", type: "content_policy_violation" }] as const
      const { calls, failure, id, noticed } = yield* streamed(faults, 2.5)
      assert.strictEqual((yield* failure(id)).type, "ContentRefused")
      assert.deepInclude(yield* calls, { submit: 1, status: 0, result: 1 })
      assert.strictEqual(yield* noticed("stream"), 1)
    })
  )
  it.effect("E3 COMPLETED with an error of which fal keeps no result: the status says which", () =>
    Effect.gen(function* () {
      const faults = [{ route: "submit", kind: "job-forgotten", type: "runner_disconnected" }] as const
      const { id, outcomes, pass, success } = yield* streamed(faults, 2.5)
      yield* pass(40)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["runner_disconnected", "picture"])
    })
  )

  const mute: ReadonlyArray<Omit<Fault, "route">> = [
    { kind: "stream-silent" },
    { kind: "stream-trickle", ms: 100 },
    { kind: "stream-slow", ms: 60_000 },
    { kind: "hang" }
  ]
  for (const fault of mute)
    it.effect(`E4 ${fault.kind}: a look finds the end within a second of the usual one, and the stream is given up`, () =>
      Effect.gen(function* () {
        const { calls, id, noticed, outcomes, simulator, success } = yield* streamed([{ ...fault, route: "stream" }], 3.1)
        yield* success(id)
        assert.deepInclude(yield* calls, { submit: 1, stream: 1 })
        assert.deepStrictEqual([yield* noticed("poll"), yield* outcomes], [1, ["picture"]])
        for (let n = 0; n < 100 && (yield* simulator.streams) > 0; n++) yield* TestClock.withLive(Effect.sleep("10 millis"))
        assert.strictEqual(yield* simulator.streams, 0)
      })
    )

  const none: ReadonlyArray<readonly ["E5" | "E6", Omit<Fault, "route">]> = [
    ["E5", { kind: "not-found" }],
    ["E5", { kind: "error", status: 405 }],
    ["E5", { kind: "error", status: 401 }],
    ["E5", { kind: "busy", ms: 60_000 }],
    ["E5", { kind: "error", status: 503 }],
    ["E5", { kind: "gateway" }],
    ["E5", { kind: "html" }],
    ["E5", { kind: "redirect" }],
    ["E5", { kind: "reset" }],
    ["E5", { kind: "stream-untyped" }],
    ["E6", { kind: "stream-ends" }],
    ["E6", { kind: "stream-cut" }],
    ["E6", { kind: "stream-huge" }],
    ["E6", { kind: "stream-endless" }]
  ]
  for (const [row, fault] of none)
    it.effect(`${row} ${fault.kind} ${fault.status ?? ""}: the looks come when they would without a stream`, () =>
      Effect.gen(function* () {
        const { calls, id, noticed, outcomes, pass, success } = yield* streamed([{ ...fault, route: "stream" }], 2.4)
        yield* pass(1, 0.1) // a machine that is busy may hear of it late
        yield* success(id)
        assert.deepInclude(yield* calls, { submit: 1, stream: 1 })
        assert.deepStrictEqual([yield* noticed("poll"), yield* outcomes], [1, ["picture"]])
      })
    )

  it.effect("E7 stream-rubbish: what cannot be read is passed over, and the end is heard", () =>
    Effect.gen(function* () {
      const { calls, id, noticed, success } = yield* streamed([{ route: "stream", kind: "stream-rubbish" }], 2.5)
      yield* success(id)
      assert.deepInclude(yield* calls, { status: 0, result: 1 })
      assert.strictEqual(yield* noticed("stream"), 1)
    })
  )

  it.effect("E8 FAL_WAIT=poll: none is opened", () =>
    Effect.gen(function* () {
      const { pass, send, simulator, start, success } = yield* stage({}, { FAL_WAIT: "poll" })
      yield* start()
      const id = yield* send()
      yield* pass(4)
      yield* success(id)
      assert.strictEqual((yield* simulator.calls).stream, 0)
    })
  )
})

describe.concurrent("a result", () => {
  const good = { width: 768, height: 1024, contentType: "image/jpeg", seed: 3, flagged: false, billableUnits: 1 }
  /** What of the picture is other than in the usual form, or why there is none. Forms of other answers have rows of their own. */
  const forms: Record<
    Exclude<Odd, `status-${string}` | `id-${string}` | `words-${string}` | `cancel-${string}`>,
    object | string
  > = {
    "width-fraction": { width: 769 },
    "width-text": {},
    "seed-text": {},
    "seed-huge": { seed: null },
    "flag-bare": {},
    "flag-bare-raised": { flagged: true },
    "flag-text": {},
    "flag-text-raised": { flagged: true },
    "flag-score": {},
    "flag-score-raised": { flagged: true },
    "flag-unknown": { flagged: true },
    "flag-in-image": { flagged: true },
    "deep-flag": { flagged: true },
    "one-image": {},
    "images-text": { width: null, height: null, contentType: null },
    "images-single": {},
    "images-null-first": {},
    "in-data": {},
    "in-payload": {},
    "in-output": { seed: null },
    "output-text": { seed: null, width: null, height: null, contentType: null },
    nulls: { seed: null, width: null, height: null, contentType: null },
    "no-images": "Refused",
    "address-unusable": "Unreadable",
    "no-form": "Unreadable",
    "error-inside": "Refused",
    "still-running": "Unreachable"
  }
  const rowOf = (expected: object | string) =>
    typeof expected === "string"
      ? { Refused: "R4 and R6", Unreadable: "R5", Unreachable: "R7" }[expected]
      : "flagged" in expected
        ? "R3"
        : "R2"
  for (const [type, expected] of Object.entries(forms))
    it.effect(`${rowOf(expected)} in the form ${type}`, () =>
      Effect.gen(function* () {
        const { generator, simulator } = yield* falOver()
        yield* simulator.setFaults({ route: "result", kind: "odd", type })
        const ticket = yield* generator.submit({ endpoint: flux, input })
        yield* jobTime
        if (typeof expected === "string") return assert.strictEqual((yield* reasonOf(generator.result(ticket)))._tag, expected)
        const { url, ...picture } = yield* generator.result(ticket)
        assert.match(url, /^http:.*\/media\/.*\.jpg$/)
        assert.deepStrictEqual(picture, { ...good, ...expected })
      })
    )

  onePicture("S1 and R1 in the usual form")
  onePicture("R2 with sides that are not whole, every time", { route: "result", kind: "odd", type: "width-fraction", times: 9 })
  paidAndFailed("R3 flagged by one bare flag", "PictureFlagged", /flagged/, {
    route: "result",
    kind: "odd",
    type: "flag-bare-raised"
  })
  paidAndFailed("R4 an empty list of pictures", "ContentRefused", /without a picture/, {
    route: "result",
    kind: "odd",
    type: "no-images"
  })
  for (const fault of [
    { kind: "odd", type: "no-form" },
    { kind: "odd", type: "address-unusable" },
    { kind: "text" },
    { kind: "huge" },
    { kind: "endless" }
  ] as const)
    paidAndFailed(
      `R5 in no form, twice: ${fault.kind} ${"type" in fault ? fault.type : ""}`,
      "GenerationError",
      /request [0-9a-f-]{36} with an answer that cannot be read/,
      { ...fault, route: "result", times: 99 }
    )
  onePicture("R5 in no form once", { route: "result", kind: "odd", type: "no-form" })
  paidAndFailed("R6 an error under the status of a success, billed", "ContentRefused", /Runner disconnected/, {
    route: "result",
    kind: "odd",
    type: "error-inside"
  })
  onePicture("R7 a status where the result should be", { route: "result", kind: "odd", type: "still-running", times: 2 })

  for (const status of [400, 500])
    it.effect(
      `R18 ${status} signed by fal without a reason, again and again: bounded retries with the same id, then FAILURE`,
      () =>
        Effect.gen(function* () {
          const { counts, failure, outcomes, pass, send, simulator, start } = yield* stage({}, { TASK_MAX_RETRIES: "2" })
          yield* simulator.setFaults({ route: "result", kind: "error-signed", status, type: "the model broke", times: 1000 })
          yield* start()
          const id = yield* send()
          yield* pass(110, 2)
          yield* pass(400, 10)
          const failed = yield* failure(id)
          assert.deepStrictEqual([failed.type, failed.message], ["GenerationError", "fal: the model broke"])
          assert.deepStrictEqual([yield* outcomes, (yield* simulator.calls).submit, yield* counts], [["picture"], 1, empty])
        })
    )
  onePicture("R18 signed by fal without a reason, for some seconds", { route: "result", kind: "error-signed", times: 5 })
  it.effect("R18 where the status has said why, that counts", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults(
        { route: "submit", kind: "job-forgotten", type: "runner_disconnected" },
        { route: "result", kind: "error-signed", times: 6 }
      )
      yield* start()
      const id = yield* send()
      yield* pass(50)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["runner_disconnected", "picture"])
    })
  )
  for (const status of [401, 403, 404])
    it.effect(`R19 ${status} with a list of problems is the model's own: it fails this task and stops no other`, () =>
      Effect.gen(function* () {
        const { failure, outcomes, pass, result, send, simulator, start } = yield* stage()
        yield* simulator.setFaults({ route: "result", kind: "error-listed", status, type: "not with this face" })
        yield* start()
        const ids = [yield* send(), yield* send()]
        yield* pass(30)
        const states = yield* Effect.forEach(ids, (id) => Effect.map(result(id), (document) => document?.status))
        assert.sameMembers(states, ["FAILURE", "SUCCESS"])
        assert.match((yield* failure(ids[states.indexOf("FAILURE")]!)).message, /not with this face/)
        assert.strictEqual((yield* outcomes).length, 2)
      })
    )

  it.effect("R9 a result that is gone for good is like a submit whose answer was lost", () =>
    Effect.gen(function* () {
      const { failure, outcomes, pass, send, simulator, start } = yield* stage({}, { FAL_UNCERTAIN: "fail" })
      yield* simulator.setFaults({ route: "result", kind: "not-found", times: 1000 })
      yield* start()
      const id = yield* send()
      yield* pass(150, 2)
      assert.strictEqual((yield* failure(id)).type, "GenerationError")
      assert.deepStrictEqual(yield* outcomes, ["picture"])
    })
  )

  it.effect("R11 words that would be cut inside a character are cut before it", () =>
    Effect.gen(function* () {
      const { failure, pass, send, simulator, start } = yield* stage()
      yield* simulator.setFaults(
        { route: "submit", kind: "job-error", type: "content_policy_violation" },
        { route: "result", kind: "odd", type: "words-long" }
      )
      yield* start()
      const id = yield* send()
      yield* pass(20)
      const { message } = yield* failure(id)
      assert.isTrue(message.isWellFormed())
      assert.match(message, /^x{498}…$/)
    })
  )
  it.effect("R11 words inside an object are words", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      yield* simulator.setFaults(
        { route: "submit", kind: "job-error", type: "content_policy_violation" },
        { route: "result", kind: "odd", type: "words-object" }
      )
      const ticket = yield* generator.submit({ endpoint: flux, input })
      yield* jobTime
      assert.strictEqual((yield* reasonOf(generator.result(ticket))).detail, "out of order")
    })
  )

  it.effect("R15 a result that never ends is given up after 10 s, and read again", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults({ route: "result", kind: "trickle" })
      yield* start()
      const id = yield* send()
      yield* pass(30)
      yield* success(id)
      assert.deepStrictEqual(yield* outcomes, ["picture"])
    })
  )
})

describe.concurrent("cancel and probe", () => {
  it.effect("C1 a cancel that is taken promises nothing", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver({ cancelRunning: "finish" })
      const ticket = yield* generator.submit({ endpoint: flux, input })
      assert.strictEqual(yield* generator.cancel(ticket), "asked")
      yield* jobTime
      assert.strictEqual((yield* generator.result(ticket)).seed, 3)
      assert.strictEqual((yield* simulator.ledger)[0]?.units, 1)
    })
  )
  it.effect("C2 ALREADY_COMPLETED counts under any status", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const ticket = yield* generator.submit({ endpoint: flux, input })
      yield* simulator.setFaults({ route: "cancel", kind: "odd", type: "cancel-ended" })
      assert.strictEqual(yield* generator.cancel(ticket), "ended")
    })
  )
  it.effect("C4 any other answer to a cancel leaves the request as it was", () =>
    Effect.gen(function* () {
      const { failure, outcomes, pass, send, simulator, start } = yield* stage({ concurrency: 0 })
      yield* simulator.setFaults({ route: "cancel", kind: "error", status: 409, times: 9 })
      yield* start({ env: { TASK_SOFT_TIME_LIMIT: "20", TASK_TIME_LIMIT: "50" } })
      const id = yield* send()
      yield* pass(60)
      assert.match((yield* failure(id)).type, /TimeLimitExceeded/)
      assert.deepStrictEqual([(yield* outcomes).length, (yield* simulator.calls).submit], [1, 1])
    })
  )

  const probes: ReadonlyArray<readonly [row: string, fault: Fault | undefined, says: string]> = [
    ["P1 an id that fal does not know", undefined, "there"],
    ["P1 compressed", { route: "status", kind: "encoded" }, "there"],
    ["P2 the key refused", { route: "status", kind: "error", status: 401 }, "AccountProblem account"],
    ["P2 the account refused", { route: "status", kind: "error", status: 403 }, "AccountProblem account"],
    ["P3 a page that is not fal's, 200", { route: "status", kind: "html" }, "Unreachable"],
    ["P3 a page that is not fal's, 404", { route: "status", kind: "gateway", status: 404 }, "Unreachable"],
    ["P3 a redirect", { route: "status", kind: "redirect" }, "Unreachable"],
    ["P3 500", { route: "status", kind: "error" }, "Unreachable"],
    ["P3 too busy", { route: "status", kind: "busy" }, "Unreachable"]
  ]
  for (const [row, fault, says] of probes)
    it.effect(`${row}: ${says}`, () =>
      Effect.gen(function* () {
        const { generator, simulator } = yield* falOver()
        if (fault !== undefined) yield* simulator.setFaults(fault)
        const said = yield* Effect.match(generator.probe, {
          onSuccess: () => "there",
          onFailure: ({ reason }) => (reason._tag === "AccountProblem" ? `${reason._tag} ${reason.scope}` : reason._tag)
        })
        assert.strictEqual(said, says)
      })
    )
})
