import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue } from "effect"
import * as MetricsMemory from "../../../src/layers/memory/MetricsMemory.ts"
import * as Events from "../../../src/programs/control/Events.ts"
import * as Lamport from "../../../src/programs/control/Lamport.ts"
import { FleetError } from "../../../src/services/Fleet.ts"
import { Metrics } from "../../../src/services/Metrics.ts"
import * as PythonJson from "../../../src/wire/PythonJson.ts"
import { Vitals } from "../../../src/services/Vitals.ts"
import { valueOf } from "../../contracts/metrics.ts"
import { identity, settings } from "../../support.ts"
import { fixture } from "../celery/fixtures.ts"
import { makeFleet, makeFleetWith } from "./fleet.ts"

interface Sample {
  readonly type: string
  readonly channel: string
  readonly body_decoded: unknown
}
type Event = Readonly<Record<string, unknown>> & { readonly type: string; readonly clock: number }
const samples = PythonJson.numbers(
  fixture<{ readonly samples: ReadonlyArray<Sample> }>("events-5.3.6").samples
) as ReadonlyArray<Sample> // the same, but for its floats

/** An event as a list of one, as a batch or alone. */
const each = (body: unknown) => (Array.isArray(body) ? body : [body]) as ReadonlyArray<Event> // by our own Events, or the fixture
const form = (event: Event) =>
  Object.fromEntries(
    Object.entries(event).map(([key, value]) => [key, value === null ? "any" : Array.isArray(value) ? "list" : typeof value])
  )
const same = (ours: Event, theirs: Event) => {
  const [a, b] = [form(ours), form(theirs)]
  return Object.keys(b).every((key) => key in a && (a[key] === b[key] || a[key] === "any" || b[key] === "any"))
}

describe("events", () => {
  it.effect("have the keys, kinds of values and channels of those captured of celery 5.3.6", () =>
    Effect.gen(function* () {
      const { ask, listen, script, seconds, send, start } = yield* makeFleet
      const heard = yield* listen
      const worker = yield* start("w1@host", { WORKER_SEND_TASK_EVENTS: "true", TASK_MAX_RETRIES: "1" })
      yield* send({ args: ["nonsense"], kwargs: {} })
      yield* script.submits("busy")
      yield* send()
      yield* seconds(60)
      yield* ask("revoke", { task_id: "revoked" })
      yield* send({ id: "revoked" })
      yield* send({ task: "no.such" })
      yield* seconds(10)
      yield* worker.stop
      const all = yield* heard
      const kinds = new Set<string>()
      for (const { body, channel } of all) {
        for (const event of each(body)) {
          const like = samples.filter(({ type }) => type === event.type)
          if (like.length === 0) continue
          kinds.add(event.type)
          assert.isTrue(
            like.some((sample) => `/0.celeryev/${channel}` === sample.channel && same(event, each(sample.body_decoded)[0]!)),
            `${channel} ${JSON.stringify(event)}`
          )
        }
      }
      assert.sameMembers(
        [...kinds],
        [
          "worker-online",
          "worker-heartbeat",
          "worker-offline",
          "task-received",
          "task-started",
          "task-succeeded",
          "task-failed",
          "task-retried",
          "task-revoked"
        ]
      )
      // The clock goes up with everything said.
      const clocks = all
        .flatMap(({ body }) => each(body))
        .filter(({ hostname }) => hostname === "w1@host")
        .map(({ clock }) => clock)
      assert.deepStrictEqual(new Set(clocks).size, clocks.length)
      assert.strictEqual(each(all[0]!.body)[0]!.type, "worker-online")
    })
  )

  it.effect("of tasks are off until they are ordered, those of the worker come every two seconds", () =>
    Effect.gen(function* () {
      const { ask, listen, seconds, send, start } = yield* makeFleet
      const heard = yield* listen
      yield* start()
      yield* send()
      yield* seconds(10)
      const first = (yield* heard).flatMap(({ body }) => each(body)).map(({ type }) => type)
      assert.deepStrictEqual(first, ["worker-online", ...Array.from({ length: 5 }, () => "worker-heartbeat")])
      assert.deepStrictEqual(yield* ask("enable_events"), { ok: "task events enabled" })
      assert.deepStrictEqual(yield* ask("enable_events"), { ok: "task events already enabled" })
      yield* send()
      yield* seconds(20)
      const second = (yield* heard).filter(({ channel }) => channel === "task.multi").flatMap(({ body }) => each(body))
      assert.deepStrictEqual(
        second.map(({ type }) => type),
        ["task-received", "task-started", "task-succeeded"]
      )
      assert.deepStrictEqual(yield* ask("disable_events"), { ok: "task events disabled" })
      yield* send()
      yield* seconds(20)
      assert.isFalse((yield* heard).some(({ channel }) => channel === "task.multi"))
    })
  )

  it.effect("tell of a task that waits for room at fal when it begins, once, and only then is it counted or STARTED", () =>
    Effect.gen(function* () {
      const { ask, listen, result, script, seconds, send, start, success } = yield* makeFleetWith({ FAL_MAX_CONCURRENT: "1" })
      yield* script.jobs({ ends: "picture", after: 60_000 }, { ends: "picture", after: 60_000 })
      yield* start("w1@host", { WORKER_CONCURRENCY: "2", WORKER_SEND_TASK_EVENTS: "true", TASK_TRACK_STARTED: "true" })
      const heard = yield* listen
      const [long, waits] = [yield* send(), yield* send()]
      const totals = Effect.map(ask("stats"), (stats) => (stats as { readonly total: unknown }).total)
      yield* seconds(55)
      assert.strictEqual((yield* result(long))?.status, "STARTED")
      assert.isUndefined(yield* result(waits))
      assert.deepStrictEqual(yield* totals, { generate_model: 1 })
      const wrong = yield* send({ kwargs: { gender: "cat" } })
      yield* seconds(20)
      assert.strictEqual((yield* result(waits))?.status, "STARTED")
      yield* seconds(60)
      yield* success(waits)
      assert.deepStrictEqual(yield* totals, { generate_model: 3 })
      const all = (yield* heard).filter(({ channel }) => channel === "task.multi").flatMap(({ body }) => each(body))
      const of = (id: string) => all.filter(({ uuid }) => uuid === id).map(({ type }) => type)
      assert.deepStrictEqual(of(waits), ["task-received", "task-started", "task-succeeded"])
      assert.deepStrictEqual(of(wrong), ["task-received", "task-started", "task-failed"])
    })
  )

  it.effect("say that a worker goes when its stop begins, and how its last task ended after that", () =>
    Effect.gen(function* () {
      const { listen, script, seconds, send, start } = yield* makeFleet
      yield* script.jobs({ ends: "picture", after: 20_000 })
      const worker = yield* start("w1@host", { WORKER_SEND_TASK_EVENTS: "true" })
      yield* send()
      yield* seconds(2)
      const heard = yield* listen
      const stopping = yield* Effect.forkChild(worker.stop)
      yield* seconds(60)
      yield* Fiber.join(stopping)
      const types = (yield* heard).flatMap(({ body }) => each(body)).map(({ type }) => type)
      assert.strictEqual(types[0], "worker-offline")
      assert.include(types, "task-succeeded")
      assert.notInclude(types, "worker-heartbeat")
    })
  )

  it.effect("that cannot be sent hold up no task", () =>
    Effect.gen(function* () {
      const { ask, listen, seconds, send, start, success } = yield* makeFleet
      let away = true
      const said: Array<unknown> = []
      const publish = (channel: string, body: unknown) =>
        away
          ? Effect.fail(new FleetError({ operation: "publish", cause: "away" }))
          : Effect.sync(() => void said.push(...(channel === "task.multi" ? each(body).map(({ type }) => type) : [])))
      yield* start("w1@host", { WORKER_SEND_TASK_EVENTS: "true" }, { publish })
      const id = yield* send()
      yield* seconds(20)
      yield* success(id)
      assert.deepStrictEqual(yield* ask("ping"), { ok: "pong" })
      assert.deepStrictEqual(yield* yield* listen, [])
      away = false
      yield* seconds(5)
      assert.deepStrictEqual(said, ["task-received", "task-started", "task-succeeded"]) // late, and all there
    })
  )

  it.effect("that cannot be written are dropped, and those after them are told", () =>
    Effect.gen(function* () {
      const { listen, metric, seconds, send, start, success, voice } = yield* makeFleet
      const heard = yield* listen
      const { publish } = yield* voice("w1@host")
      let broken = true
      yield* start(
        "w1@host",
        { WORKER_SEND_TASK_EVENTS: "true" },
        {
          publish: (key, body) =>
            key.startsWith("task.") && broken ? Effect.die(new RangeError("Invalid string length")) : publish(key, body)
        }
      )
      const [first, second] = [yield* send(), yield* send()]
      yield* seconds(20)
      yield* success(first)
      broken = false
      yield* send({ id: "told" })
      yield* seconds(20)
      yield* success(second)
      const told = (yield* heard).flatMap(({ body }) => each(body)).filter(({ type }) => type.startsWith("task-"))
      assert.deepStrictEqual([...new Set(told.map(({ uuid }) => uuid))], ["told"])
      assert.isUndefined(yield* metric('actor_restarts_total{actor="events"}'))
    })
  )

  it.effect("that pile up beyond ten thousand are dropped, the oldest first, and counted", () =>
    Effect.gen(function* () {
      const events = yield* Events.make(Lamport.make())
      for (let n = 0; n < 10_003; n++) yield* events.emit(() => ({ type: "task-started", uuid: String(n) }))
      assert.strictEqual(valueOf((yield* (yield* Metrics).expose).body, "events_dropped_total"), 3)
      assert.deepInclude(yield* Queue.take(events.mailbox), { uuid: "3" })
    }).pipe(
      Effect.provide([identity("w1@host"), MetricsMemory.layer, Vitals.layer]),
      Effect.provide(settings({ WORKER_SEND_TASK_EVENTS: "true" }))
    )
  )

  it.effect("nobody can hear, nor control messages, keep no worker from its work", () =>
    Effect.gen(function* () {
      const { seconds, send, start, success } = yield* makeFleet
      const down = Effect.fail(new FleetError({ operation: "hear", cause: "NOPERM" }))
      const spoilt = { hear: down, remembered: () => down, join: () => down, publish: () => Effect.never }
      const worker = yield* start("w1@host", { WORKER_SEND_TASK_EVENTS: "true" }, spoilt)
      const id = yield* send()
      yield* seconds(20)
      yield* success(id)
      const stopping = yield* Effect.forkChild(worker.stop)
      yield* seconds(10)
      yield* Fiber.join(stopping)
    })
  )

  it.effect("asked for say at once who is there", () =>
    Effect.gen(function* () {
      const { ask, listen, start } = yield* makeFleet
      yield* start()
      const heard = yield* listen
      assert.isNull(yield* ask("heartbeat"))
      const [one] = yield* heard
      assert.strictEqual(one?.channel, "worker.heartbeat")
      assert.deepInclude(each(one?.body)[0], { freq: 5, type: "worker-heartbeat", hostname: "w1@host" })
      assert.notProperty(each(one?.body)[0], "active")
    })
  )

  it.effect("an election with more candidates than any fleet has, or a candidate that wants too much, fills no memory", () =>
    Effect.gen(function* () {
      const { listen, start, tell } = yield* makeFleet
      yield* start()
      const elect = (hostname: string, action: unknown) =>
        tell("worker.elect", { type: "worker-elect", hostname, pid: 1, clock: 3, id: "el", topic: "task", action, cver: 1 })
      const acksAfter = Effect.fnUntraced(function* (candidate: Effect.Effect<void>) {
        const heard = yield* listen
        yield* candidate
        return (yield* heard).filter(({ channel }) => channel === "worker.elect.ack").length
      })
      assert.strictEqual(yield* acksAfter(elect("big@host", { task: "t", kwargs: { x: "x".repeat(70_000) } })), 0)
      assert.strictEqual(yield* acksAfter(elect(`${"x".repeat(2000)}@host`, null)), 0)
      for (let n = 0; n < 1000; n++) yield* elect(`o${n}@host`, null)
      assert.strictEqual(yield* acksAfter(elect("late@host", null)), 0)
    })
  )

  it.effect("elections are acknowledged", () =>
    Effect.gen(function* () {
      const { listen, start, tell } = yield* makeFleet
      yield* start()
      const heard = yield* listen
      yield* tell("worker.elect", {
        type: "worker-elect",
        hostname: "o@host",
        pid: 1,
        clock: 3,
        id: "el",
        topic: "task",
        action: null,
        cver: 1
      })
      const acks = (yield* heard).filter(({ channel }) => channel === "worker.elect.ack")
      assert.strictEqual(acks.length, 1)
      assert.deepInclude(each(acks[0]!.body)[0], { id: "el", type: "worker-elect-ack" })
    })
  )
})

describe("Lamport's clock", () => {
  it("never falls behind what was heard, and takes no nonsense", () => {
    const clock = Lamport.make()
    assert.strictEqual(clock.forward(), 1)
    clock.adjust(10)
    assert.strictEqual(clock.value(), 11)
    clock.adjust(3)
    assert.strictEqual(clock.value(), 12)
    for (const nonsense of ["x", null, Number.NaN, 1e300, -5, 2 ** 52, {}]) clock.adjust(nonsense)
    assert.strictEqual(clock.value(), 19)
    assert.strictEqual(clock.forward(), 20)
  })
})
