import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { createServer } from "node:net"
import { exchange, openConnections } from "../../src/layers/fal/exchange.ts"
import type { Fault } from "../../src/fal-simulator/Fault.ts"
import * as JobErrors from "../../src/fal-simulator/jobErrors.ts"
import type { Simulator } from "../../src/fal-simulator/simulate.ts"
import { Catalogue } from "../../src/services/Catalogue.ts"
import { Generator, type GeneratorError } from "../../src/services/Generator.ts"
import { generatorContract, Ground } from "../contracts/generator.ts"
import { falAt, falOver, KEY } from "./falOver.ts"

const endpoint = "fal-ai/flux/dev"
const input = { prompt: "Fashion model, male", seed: 3, image_size: "portrait_4_3" }
const jobTime = TestClock.adjust("3 seconds")
const reasonOf = <A, R>(effect: Effect.Effect<A, GeneratorError, R>) => Effect.map(Effect.flip(effect), ({ reason }) => reason)

const faultFor: Record<Parameters<Ground["Service"]["next"]>[0], Fault> = {
  "answer lost": { route: "submit", kind: "accept-then-reset" },
  busy: { route: "submit", kind: "busy" },
  "busy for a minute": { route: "submit", kind: "busy", ms: 60_000 },
  "no id": { route: "submit", kind: "no-id" },
  locked: { route: "submit", kind: "error", status: 403, type: "User is locked. Reason: Exhausted balance." },
  "endpoint refused": { route: "submit", kind: "error", status: 403, type: "Access denied to this endpoint" },
  unreadable: { route: "result", kind: "odd", type: "no-form" },
  flagged: { route: "submit", kind: "job-flagged" },
  "job fails": { route: "submit", kind: "job-error", type: "runner_disconnected" },
  "content refused": { route: "submit", kind: "job-error", type: "content_policy_violation" },
  stuck: { route: "submit", kind: "job-stuck" },
  "cancel ignored": { route: "submit", kind: "job-ignores-cancel" },
  "stream refused": { route: "stream", kind: "not-found" },
  "stream silent": { route: "stream", kind: "stream-silent" },
  "stream lies": { route: "stream", kind: "stream-lies" }
}
generatorContract(
  "GeneratorFal over the simulator",
  Layer.effectContext(
    Effect.map(falOver(), ({ catalogue, generator, simulator }) =>
      Context.make(Generator, generator).pipe(
        Context.add(Catalogue, catalogue),
        Context.add(Ground, {
          next: (what) => simulator.setFaults(faultFor[what]),
          executions: Effect.map(simulator.ledger, (rows) => rows.length),
          streaming: untilStreaming(simulator)
        })
      )
    )
  )
)

describe("one POST for each submit, whatever happens to it", () => {
  const cases: ReadonlyArray<readonly [fault: Fault, reason: string, executions: number]> = [
    [{ route: "submit", kind: "accept-then-reset" }, "Uncertain", 1],
    [{ route: "submit", kind: "accept-then-gateway" }, "Uncertain", 1],
    [{ route: "submit", kind: "accept-then-gateway", status: 503 }, "Uncertain", 1],
    [{ route: "submit", kind: "accept-then-gateway", status: 504 }, "Uncertain", 1],
    [{ route: "submit", kind: "accept-then-html" }, "AcceptedWithoutId", 1],
    [{ route: "submit", kind: "reset" }, "Uncertain", 0],
    [{ route: "submit", kind: "html" }, "AcceptedWithoutId", 0],
    [{ route: "submit", kind: "error", status: 500 }, "Uncertain", 0],
    [{ route: "submit", kind: "error", status: 408 }, "Uncertain", 0],
    [{ route: "submit", kind: "gateway", status: 303 }, "Uncertain", 0],
    [{ route: "submit", kind: "gateway", status: 307 }, "AccountProblem", 0],
    [{ route: "submit", kind: "busy" }, "Busy", 0],
    [{ route: "submit", kind: "error", status: 403 }, "AccountProblem", 0],
    [{ route: "submit", kind: "error", status: 400 }, "Refused", 0],
    [{ route: "submit", kind: "error", status: 418 }, "Refused", 0]
  ]
  for (const [fault, reason, executions] of cases) {
    it.effect(`${fault.kind} ${fault.status ?? ""} is ${reason}`, () =>
      Effect.gen(function* () {
        const { generator, simulator } = yield* falOver()
        yield* simulator.setFaults({ ...fault, times: 9 })
        assert.strictEqual((yield* reasonOf(generator.submit({ endpoint, input })))._tag, reason)
        assert.strictEqual((yield* simulator.calls).submit, 1, "POSTs")
        assert.strictEqual((yield* simulator.ledger).length, executions, "executions")
      })
    )
  }

  it.effect("no answer within 30 s is Uncertain, even where nothing may interrupt", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      yield* simulator.setFaults({ route: "submit", kind: "accept-then-hang", times: 9 })
      const submitting = yield* Effect.forkChild(reasonOf(Effect.uninterruptible(generator.submit({ endpoint, input }))))
      yield* untilCalled(simulator, "submit")
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(submitting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(submitting))._tag, "Uncertain")
      assert.strictEqual((yield* simulator.calls).submit, 1)
    })
  )

  it.effect("an interruption ends the request at once and sends no other", () =>
    Effect.gen(function* () {
      const { generator, metrics, simulator } = yield* falOver()
      yield* simulator.setFaults({ route: "submit", kind: "accept-then-hang", times: 9 })
      const submitting = yield* Effect.forkChild(generator.submit({ endpoint, input }))
      yield* untilCalled(simulator, "submit")
      yield* Fiber.interrupt(submitting)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* simulator.ledger).length, 1)
      assert.include((yield* metrics.expose).body, `fal_requests_total{operation="submit",outcome="Interrupted"} 1`)
    })
  )

  it.effect("a server that is not there is Unreachable: nothing was sent", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const generator = Context.get(yield* Layer.build(falAt(`http://127.0.0.1:${port}`)), Generator)
      assert.strictEqual((yield* reasonOf(generator.submit({ endpoint, input })))._tag, "Unreachable")
      assert.strictEqual((yield* reasonOf(generator.probe))._tag, "Unreachable")
    })
  )
})

describe("the account", () => {
  it.effect("a wrong key is the account's problem everywhere, and is in no error", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver({}, "another-key:another-secret")
      const ticket = { endpoint, requestId: "1" }
      for (const call of [
        generator.submit({ endpoint, input }),
        generator.progress(ticket),
        generator.result(ticket),
        generator.probe
      ]) {
        const error = yield* Effect.flip<unknown, GeneratorError, never>(call)
        assert.deepInclude(error.reason, { _tag: "AccountProblem", status: 401 })
        assert.notInclude(JSON.stringify(error), "another-")
      }
      assert.isEmpty(yield* simulator.ledger)
    })
  )

  it.effect("a locked account and an unknown model take no money", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver({ locked: true })
      assert.deepInclude(yield* reasonOf(generator.submit({ endpoint, input })), {
        _tag: "AccountProblem",
        status: 403,
        detail: "User is locked. Reason: Exhausted balance."
      })
      yield* simulator.configure({ locked: false })
      assert.deepInclude(yield* reasonOf(generator.submit({ endpoint: "fal-ai/nothing", input })), {
        _tag: "AccountProblem",
        status: 404
      })
      assert.strictEqual((yield* reasonOf(generator.submit({ endpoint: "nothing", input })))._tag, "AccountProblem")
      assert.isEmpty(yield* simulator.ledger)
    })
  )
})

describe("reading", () => {
  const spoilt: ReadonlyArray<Omit<Fault, "route">> = [
    { kind: "reset" },
    { kind: "gateway", status: 502 },
    { kind: "gateway", status: 504 },
    { kind: "error", status: 500 },
    { kind: "error", status: 429 },
    { kind: "html" },
    { kind: "accept-then-truncate" }
  ]
  for (const fault of spoilt) {
    it.effect(`${fault.kind} ${fault.status ?? ""} harms nothing: Unreachable, one GET, and well the next time`, () =>
      Effect.gen(function* () {
        const { generator, simulator } = yield* falOver()
        const ticket = yield* generator.submit({ endpoint, input })
        yield* jobTime
        yield* simulator.setFaults({ ...fault, route: "status" }, { ...fault, route: "result" }, { ...fault, route: "cancel" })
        assert.strictEqual((yield* reasonOf(generator.progress(ticket)))._tag, "Unreachable")
        assert.strictEqual((yield* reasonOf(generator.result(ticket)))._tag, "Unreachable")
        assert.deepInclude(yield* simulator.calls, { status: 1, result: 1 })
        assert.strictEqual((yield* generator.progress(ticket))._tag, "Ended")
        assert.strictEqual((yield* generator.result(ticket)).seed, 3)
        assert.deepInclude(yield* simulator.calls, { submit: 1, status: 2, result: 2 })
      })
    )
  }

  it.effect("a look without an answer is given up after 10 s", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const ticket = yield* generator.submit({ endpoint, input })
      yield* simulator.setFaults({ route: "status", kind: "hang" })
      const looking = yield* Effect.forkChild(reasonOf(generator.progress(ticket)))
      yield* untilCalled(simulator, "status")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(looking))._tag, "Unreachable")
    })
  )

  it.effect("a queued request tells how many are ahead of it", () =>
    Effect.gen(function* () {
      const { generator } = yield* falOver({ concurrency: 1 })
      const tickets = yield* Effect.forEach([1, 2, 3], (seed) => generator.submit({ endpoint, input: { ...input, seed } }))
      const seen = yield* Effect.forEach(tickets, (ticket) => generator.progress(ticket))
      assert.deepStrictEqual(seen, [{ _tag: "Running" }, { _tag: "Queued", position: 0 }, { _tag: "Queued", position: 1 }])
    })
  )

  it.effect("an expired result is Unknown", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const ticket = yield* generator.submit({ endpoint, input })
      yield* jobTime
      yield* simulator.jump(3700)
      assert.strictEqual((yield* reasonOf(generator.progress(ticket)))._tag, "Unknown")
      assert.strictEqual((yield* reasonOf(generator.result(ticket)))._tag, "Unknown")
    })
  )

  it.effect("a picture can be collected by another process, with nothing but the ticket", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const ticket = yield* generator.submit({ endpoint, input })
      yield* jobTime
      const other = Context.get(yield* Layer.build(Layer.fresh(falAt(simulator.url))), Generator)
      assert.strictEqual((yield* other.result(ticket)).seed, 3)
      assert.strictEqual((yield* simulator.ledger).length, 1)
    })
  )
})

describe("how a job may end", () => {
  const expected = (type: string) =>
    type.startsWith("client_")
      ? "Cancelled"
      : type === "content_policy_violation" || type === "no_media_generated"
        ? "Refused"
        : "JobFailed"
  for (const type of JobErrors.types) {
    it.effect(`${type} is ${expected(type)}`, () =>
      Effect.gen(function* () {
        const { generator, simulator } = yield* falOver()
        yield* simulator.setFaults({ route: "submit", kind: "job-error", type })
        const ticket = yield* generator.submit({ endpoint, input })
        yield* jobTime
        assert.strictEqual((yield* generator.progress(ticket))._tag, "Ended")
        const reason = yield* reasonOf(generator.result(ticket))
        assert.strictEqual(reason._tag, expected(type))
        if (reason._tag === "JobFailed") assert.strictEqual(reason.type, type)
        assert.strictEqual((yield* simulator.calls).result, 1, "no repetition of its own")
      })
    )
  }

  it.effect("bad input is Refused in fal's own words, and not in the input's", () =>
    Effect.gen(function* () {
      const { generator } = yield* falOver()
      const ticket = yield* generator.submit({ endpoint, input: { seed: "secret plan", num_images: 9 } })
      yield* jobTime
      const reason = yield* reasonOf(generator.result(ticket))
      assert.deepInclude(reason, {
        _tag: "Refused",
        status: 422,
        detail:
          "prompt: Field required; seed: Input should be a valid integer; num_images: Input should be less than or equal to 4",
        billableUnits: 0
      })
      assert.notInclude(JSON.stringify(reason), "secret plan")
    })
  )

  it.effect("a source that cannot be downloaded is Refused", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const image_url = `${simulator.url}/media/nobody/0.jpg`
      const ticket = yield* generator.submit({
        endpoint: "fal-ai/flux/dev/image-to-image",
        input: { prompt: "a red coat", image_url }
      })
      yield* untilCalled(simulator, "media")
      yield* pause
      yield* jobTime
      assert.include((yield* reasonOf(generator.result(ticket))).detail, "image_url: Failed to download the file")
    })
  )

  it.effect("a result that says 504 twice is there the third time", () =>
    Effect.gen(function* () {
      const { generator, simulator } = yield* falOver()
      const ticket = yield* generator.submit({ endpoint, input })
      yield* jobTime
      yield* simulator.setFaults({ route: "result", kind: "gateway", status: 504, times: 2 })
      const picture = yield* Effect.retry(generator.result(ticket), {
        times: 2,
        while: ({ reason }) => reason._tag === "Unreachable"
      })
      assert.deepInclude(picture, { billableUnits: 1, flagged: false })
      assert.strictEqual((yield* simulator.ledger).length, 1)
    })
  )
})

describe("status streams", () => {
  const each = { concurrency: "unbounded" } as const
  const submitted = Effect.fnUntraced(function* (kind?: Fault["kind"]) {
    const there = yield* falOver({ concurrency: 1000 })
    if (kind !== undefined) yield* there.simulator.setFaults({ kind, route: "stream", times: 1000 })
    const submits = Array.from({ length: 64 }, (_, seed) => there.generator.submit({ endpoint, input: { ...input, seed } }))
    return { ...there, tickets: yield* Effect.all(submits, each) }
  })
  const streaming = Effect.fnUntraced(function* (kind?: Fault["kind"]) {
    const { generator, metrics, simulator, tickets } = yield* submitted(kind)
    const streams = yield* Effect.forEach(tickets, (ticket) => Effect.forkChild(generator.awaitEnd(ticket)))
    yield* untilStreaming(simulator)(64)
    return { generator, metrics, simulator, tickets, streams }
  })
  const untilConnected = Effect.fnUntraced(function* (simulator: Simulator, most: number) {
    while ((yield* simulator.connections) > most) yield* pause
  })

  it.effect("64 at once take a connection each, those of the submits, and their results take the same ones", () =>
    Effect.gen(function* () {
      const { generator, simulator, streams, tickets } = yield* streaming()
      assert.isAtMost(yield* simulator.connections, 64)
      yield* Effect.forEach(tickets, generator.progress, each)
      assert.isAtMost(yield* simulator.connections, 128, "with a look for each")
      yield* jobTime
      const told = yield* Effect.forEach(streams, Fiber.join)
      assert.isTrue(told.every((one) => Option.isSome(one) && one.value.inferenceSeconds === 2))
      yield* Effect.forEach(tickets, generator.result, each)
      assert.isAtMost(yield* simulator.connections, 128)
    })
  )

  it.effect("that are interrupted leave no connection behind", () =>
    Effect.gen(function* () {
      const { metrics, simulator, streams } = yield* streaming("stream-silent")
      yield* Fiber.interruptAll(streams)
      yield* untilStreaming(simulator)(0)
      yield* untilConnected(simulator, 0)
      assert.include((yield* metrics.expose).body, `fal_requests_total{operation="stream",outcome="Interrupted"} 64`)
    })
  )

  it.effect("take up no connection once they have been read too far", () =>
    Effect.gen(function* () {
      const { generator, simulator, tickets } = yield* submitted("stream-endless")
      assert.isTrue((yield* Effect.forEach(tickets, generator.awaitEnd, each)).every(Option.isNone))
      yield* untilConnected(simulator, 0)
    })
  )

  it.effect("a connection that rests is closed after a while", () =>
    Effect.gen(function* () {
      const { simulator } = yield* falOver()
      const connections = openConnections({ keepAlive: 60, connectPatience: 1000 })
      const get = { method: "GET", url: `${simulator.url}/_sim/ledger`, headers: {}, body: null }
      yield* Effect.promise((signal) => Promise.all([1, 2, 3].map(() => exchange(connections, () => get, signal))))
      assert.strictEqual(yield* simulator.connections, 3)
      yield* untilConnected(simulator, 0)
    })
  )
})

it.effect("every HTTP request is counted with its outcome", () =>
  Effect.gen(function* () {
    const { generator, metrics, simulator } = yield* falOver()
    yield* simulator.setFaults({ route: "status", kind: "gateway" })
    const ticket = yield* generator.submit({ endpoint, input })
    yield* Effect.ignore(generator.progress(ticket))
    yield* generator.progress(ticket)
    yield* generator.probe
    const { body } = yield* metrics.expose
    for (const series of [
      `"submit",outcome="ok"`,
      `"progress",outcome="Unreachable"`,
      `"progress",outcome="ok"`,
      `"probe",outcome="ok"`
    ]) {
      assert.include(body, `model_generator_fal_requests_total{operation=${series}} 1`)
    }
    assert.notInclude(body, KEY)
  })
)

/** Real time, for what really travels. */
const pause = TestClock.withLive(Effect.sleep("15 millis"))
const untilCalled = Effect.fnUntraced(function* (simulator: Simulator, route: "submit" | "status" | "media") {
  while ((yield* simulator.calls)[route] === 0) yield* pause
})
const untilStreaming = (simulator: Simulator) =>
  Effect.fnUntraced(function* (count: number) {
    while ((yield* simulator.streams) !== count) yield* pause
  })
const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})
