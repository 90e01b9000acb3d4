import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber } from "effect"
import { message } from "../../support.ts"
import { empty, five } from "../world.ts"
import { makeFleet, makeFleetWith } from "./fleet.ts"

const ok = (text: string) => ({ ok: text })
const never = { ends: "never" } as const
const slow = (after: number) => ({ ends: "picture", after }) as const

describe("revoke", () => {
  it.effect("of a running task with terminate ends it REVOKED, and the request at fal with it", () =>
    Effect.gen(function* () {
      const { ask, counts, ledger, result, script, seconds, send, start } = yield* makeFleet
      yield* start()
      yield* script.jobs(never)
      const id = yield* send()
      yield* seconds(3)
      assert.deepStrictEqual(yield* ask("revoke", { task_id: id, terminate: true, signal: "SIGTERM" }), ok(`terminate: ${id}`))
      yield* seconds(2)
      const document = yield* result(id)
      assert.strictEqual(document?.status, "REVOKED")
      assert.deepInclude(document?.result as object, { exc_type: "TaskRevokedError", exc_message: ["terminated"] })
      assert.strictEqual((yield* ledger)[0]?.outcome, "cancelled")
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("without terminate does nothing to a task that runs", () =>
    Effect.gen(function* () {
      const { ask, seconds, send, start, success } = yield* makeFleet
      yield* start()
      const id = yield* send()
      yield* seconds(0.5)
      yield* ask("revoke", { task_id: [id] })
      yield* seconds(20)
      yield* success(id)
    })
  )

  it.effect("keeps what waits for its time, what waits for a slot and what is yet to come from running", () =>
    Effect.gen(function* () {
      const { ask, counts, ledger, result, script, seconds, send, start } = yield* makeFleet
      yield* start("w1@host", { WORKER_PREFETCH_MULTIPLIER: "2" })
      yield* script.jobs(slow(10_000))
      const running = yield* send()
      const waiting = yield* send()
      yield* seconds(2)
      const later = yield* send({ eta: "1970-01-01T00:01:00+00:00" })
      yield* ask("revoke", { task_id: [waiting, later, "to-come"] })
      assert.sameMembers((yield* ask("revoked")) as Array<string>, [waiting, later, "to-come"])
      yield* send({ id: "to-come" })
      yield* seconds(90)
      assert.strictEqual((yield* result(running))?.status, "SUCCESS")
      for (const id of [waiting, later, "to-come"]) assert.strictEqual((yield* result(id))?.status, "REVOKED", id)
      assert.strictEqual((yield* ledger).length, 1)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("is remembered by a worker that starts later, and for three hours", () =>
    Effect.gen(function* () {
      const { ask, result, seconds, send, start, success } = yield* makeFleet
      const first = yield* start()
      yield* ask("revoke", { task_id: ["soon", "late"] })
      yield* first.stop
      yield* start("w2@host")
      yield* send({ id: "soon" })
      yield* seconds(5)
      assert.strictEqual((yield* result("soon"))?.status, "REVOKED")
      yield* seconds(3 * 3600)
      yield* send({ id: "late" })
      yield* seconds(20)
      yield* success("late")
    })
  )

  it.effect("of an id once more, after the first order for it has run out, counts again", () =>
    Effect.gen(function* () {
      const { ask, result, seconds, send, start } = yield* makeFleet
      yield* start()
      yield* ask("revoke", { task_id: "twice" })
      yield* seconds(3 * 3600 + 60)
      assert.deepStrictEqual(yield* ask("revoked"), [])
      yield* ask("revoke", { task_id: "twice" })
      yield* send({ id: "twice" })
      yield* seconds(20)
      assert.strictEqual((yield* result("twice"))?.status, "REVOKED")
    })
  )

  it.effect("by stamp is remembered by a worker that starts later, for a week", () =>
    Effect.gen(function* () {
      const { air, ask, pushRaw, result, seconds, send, start, success } = yield* makeFleet
      const first = yield* start()
      yield* ask("revoke_by_stamped_headers", { headers: { project: ["p1", "p2"] } })
      yield* first.stop
      const week = (yield* Clock.currentTimeMillis) + 7 * 86_400_000
      for (const until of air.revoked.stamps.values()) assert.approximately(until, week, 5000)
      yield* start("w2@host")
      const { raw } = message({ id: "stamped", task: "generate_model", kwargs: five })
      yield* pushRaw(raw.replace('"stamps":{}', '"stamps":{"project":"p2"}'))
      const other = yield* send()
      yield* seconds(20)
      assert.strictEqual((yield* result("stamped"))?.status, "REVOKED")
      yield* success(other)
    })
  )

  it.effect("by stamp, with terminate, ends the running tasks that carry it", () =>
    Effect.gen(function* () {
      const { ask, pushRaw, result, script, seconds, send, start } = yield* makeFleet
      yield* start("w1@host", { WORKER_CONCURRENCY: "2" })
      yield* script.jobs(never, never)
      const { raw } = message({ id: "stamped", task: "generate_model", kwargs: five })
      yield* pushRaw(raw.replace('"stamps":{}', '"stamps":{"project":["p1","p9"]}'))
      const other = yield* send()
      yield* seconds(2)
      assert.deepStrictEqual(
        yield* ask("revoke_by_stamped_headers", { headers: { project: "p1" }, terminate: true }),
        ok("headers defaultdict(<class 'set'>, {'project': {'p1'}}) revoked")
      )
      yield* seconds(2)
      assert.strictEqual((yield* result("stamped"))?.status, "REVOKED")
      assert.isUndefined(yield* result(other))
    })
  )
})

describe("limits", () => {
  it.effect("a rate limit holds, whatever name the task is called by, until it is lifted", () =>
    Effect.gen(function* () {
      const { ask, ledger, seconds, send, start } = yield* makeFleet
      yield* start("w1@host", { WORKER_CONCURRENCY: "4" })
      assert.deepStrictEqual(
        yield* ask("rate_limit", { task_name: "generate_model", rate_limit: "6/m" }),
        ok("new rate limit set successfully")
      )
      for (let n = 0; n < 6; n++) yield* send({ task: n % 2 === 0 ? "generate_model" : "app.tasks.generate_model" })
      yield* seconds(5)
      assert.strictEqual((yield* ledger).length, 1)
      yield* seconds(20)
      assert.strictEqual((yield* ledger).length, 3)
      yield* seconds(40)
      const started = (yield* ledger).map(({ acceptedAt }) => acceptedAt)
      assert.strictEqual(started.length, 6)
      started.slice(1).forEach((at, n) => assert.isAtLeast(at - started[n]!, 9_990))
      yield* ask("rate_limit", { task_name: "generate_model", rate_limit: 0 })
      for (let n = 0; n < 4; n++) yield* send()
      yield* seconds(2)
      assert.strictEqual((yield* ledger).length, 10)
    })
  )

  it.effect("a rate limit of one an hour, with 200 waiting, stops no other task, and is over when it is lifted", () =>
    Effect.gen(function* () {
      const { ask, ledger, seconds, send, start, success } = yield* makeFleet
      yield* start("w1@host", { WORKER_CONCURRENCY: "10" })
      yield* ask("rate_limit", { task_name: "generate_model", rate_limit: "1/h" })
      for (let n = 0; n < 200; n++) yield* send()
      const other = yield* send({ task: "health_check", kwargs: {} })
      yield* seconds(10)
      yield* success(other)
      yield* seconds(300)
      assert.strictEqual((yield* ledger).length, 1)
      yield* ask("rate_limit", { task_name: "generate_model", rate_limit: null })
      yield* seconds(5)
      assert.isAbove((yield* ledger).length, 30)
      yield* seconds(40)
      assert.strictEqual((yield* ledger).length, 200)
    })
  )

  it.effect("a rate limit that is changed holds for those that wait already, at once", () =>
    Effect.gen(function* () {
      const { ask, ledger, seconds, send, start } = yield* makeFleet
      yield* start("w1@host", { WORKER_CONCURRENCY: "2" })
      yield* ask("rate_limit", { task_name: "generate_model", rate_limit: "1/h" })
      for (let n = 0; n < 20; n++) yield* send()
      yield* seconds(30)
      assert.strictEqual((yield* ledger).length, 1)
      yield* ask("rate_limit", { task_name: "generate_model", rate_limit: "30/m" })
      yield* seconds(20)
      assert.closeTo((yield* ledger).length, 11, 1)
      yield* seconds(22)
      assert.strictEqual((yield* ledger).length, 20)
    })
  )

  it.effect("a turn at a rate limit is not lost by a wait for room at fal", () =>
    Effect.gen(function* () {
      const { ask, ledger, script, seconds, send, start } = yield* makeFleetWith({ FAL_MAX_CONCURRENT: "1" })
      yield* start("w1@host", { WORKER_CONCURRENCY: "2" })
      yield* script.jobs(slow(100_000))
      yield* ask("rate_limit", { task_name: "generate_model", rate_limit: "1/m" })
      for (let n = 0; n < 2; n++) yield* send()
      yield* seconds(98) // the second had its turn at 60 s, and another would be at 120 s
      assert.strictEqual((yield* ledger).length, 1)
      yield* seconds(14)
      assert.strictEqual((yield* ledger).length, 2)
    })
  )

  it.effect("a time limit holds for the tasks that start after it", () =>
    Effect.gen(function* () {
      const { ask, failure, script, seconds, send, start } = yield* makeFleet
      yield* start()
      yield* ask("time_limit", { task_name: "app.tasks.generate_model", soft: 5, hard: 8 })
      yield* script.jobs(never)
      const id = yield* send()
      yield* seconds(7)
      assert.strictEqual((yield* failure(id)).type, "SoftTimeLimitExceeded")
    })
  )
})

describe("the pool", () => {
  const running = (ledger: ReadonlyArray<{ readonly outcome: string }>) =>
    ledger.filter(({ outcome }) => outcome === "running").length

  it.effect("grows at once and shrinks as its children end their tasks, none of them cut short", () =>
    Effect.gen(function* () {
      const { ask, counts, ledger, script, seconds, send, start, success } = yield* makeFleet
      yield* start()
      yield* script.jobs(...Array.from({ length: 6 }, () => slow(20_000)))
      const ids = yield* Effect.forEach(Array.from({ length: 6 }), () => send())
      yield* seconds(2)
      assert.strictEqual(running(yield* ledger), 1)
      assert.deepStrictEqual(yield* ask("pool_grow", { n: 2 }), ok("pool will grow"))
      yield* seconds(2)
      assert.strictEqual(running(yield* ledger), 3)
      assert.deepInclude(((yield* ask("stats")) as { readonly pool: object }).pool, { "max-concurrency": 3 })
      assert.deepStrictEqual(yield* ask("pool_shrink", { n: 2 }), ok("pool will shrink"))
      yield* seconds(2)
      assert.strictEqual(running(yield* ledger), 3)
      yield* seconds(30)
      assert.strictEqual(running(yield* ledger), 1)
      yield* seconds(60)
      for (const id of ids) yield* success(id)
      assert.deepStrictEqual(yield* counts, empty)
      assert.include(JSON.stringify(yield* ask("pool_shrink")), "the pool can have 1 to 512 children")
      assert.include(JSON.stringify(yield* ask("pool_grow", { n: 512 })), "ValueError")
      assert.deepInclude(((yield* ask("stats")) as { readonly pool: object }).pool, { "max-concurrency": 1 })
    })
  )

  it.effect("grows with the messages that wait and shrinks when it has long been too large, if it is set to", () =>
    Effect.gen(function* () {
      const { ask, counts, ledger, script, seconds, send, start, success } = yield* makeFleet
      yield* start("w1@host", { WORKER_AUTOSCALE: "3,1" })
      const scaler = Effect.map(ask("stats"), (stats) => (stats as { readonly autoscaler: object }).autoscaler)
      assert.deepStrictEqual(yield* scaler, { max: 3, min: 1, current: 1, qty: 0 })
      yield* script.jobs(...Array.from({ length: 5 }, () => slow(20_000)))
      const ids = yield* Effect.forEach(Array.from({ length: 5 }), () => send())
      yield* seconds(0.5)
      assert.strictEqual(running(yield* ledger), 3)
      assert.deepStrictEqual(yield* scaler, { max: 3, min: 1, current: 3, qty: 3 })
      yield* seconds(28)
      assert.deepStrictEqual(yield* scaler, { max: 3, min: 1, current: 3, qty: 2 }) // too early to shrink
      yield* seconds(5)
      assert.deepStrictEqual(yield* scaler, { max: 3, min: 1, current: 2, qty: 2 })
      yield* seconds(30)
      for (const id of ids) yield* success(id)
      assert.deepStrictEqual(yield* scaler, { max: 3, min: 1, current: 1, qty: 0 })
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("counts each message in hand, and not the second of a task that runs, which waits outside", () =>
    Effect.gen(function* () {
      const { ask, pushRaw, seconds, send, start } = yield* makeFleet
      yield* start("w1@host", { WORKER_AUTOSCALE: "3,1" })
      const { raw } = message({ id: "twice", task: "generate_model", kwargs: five })
      yield* Effect.forEach([raw, raw], pushRaw)
      yield* send()
      yield* seconds(0.5)
      const { autoscaler } = (yield* ask("stats")) as { readonly autoscaler: object }
      assert.deepStrictEqual(autoscaler, { max: 3, min: 1, current: 2, qty: 2 })
    })
  )

  it.effect("that scales itself takes other bounds at once, and no other orders about its size", () =>
    Effect.gen(function* () {
      const { ask, ledger, script, seconds, send, start, success } = yield* makeFleet
      yield* start("w1@host", { WORKER_AUTOSCALE: "2,1" })
      const current = Effect.map(
        ask("stats"),
        (stats) => (stats as { readonly autoscaler: { current: number } }).autoscaler.current
      )
      yield* script.jobs(...Array.from({ length: 4 }, () => slow(20_000)))
      const ids = yield* Effect.forEach(Array.from({ length: 4 }), () => send())
      yield* seconds(1)
      assert.strictEqual(running(yield* ledger), 2)
      assert.deepStrictEqual(yield* ask("autoscale", { max: 4, min: 2 }), ok("autoscale now max=4 min=2"))
      yield* seconds(1)
      assert.strictEqual(running(yield* ledger), 4)
      assert.deepStrictEqual(yield* ask("autoscale", { max: 1, min: null }), ok("autoscale now max=1 min=1"))
      yield* seconds(30)
      for (const id of ids) yield* success(id) // none was cut short
      assert.strictEqual(yield* current, 1)
      assert.deepStrictEqual(yield* ask("autoscale", { max: "3", min: "3" }), ok("autoscale now max=3 min=3"))
      assert.strictEqual(yield* current, 3)
      for (const order of ["pool_grow", "pool_shrink"])
        assert.deepStrictEqual(yield* ask(order), {
          error: `${order} is not supported with autoscale. Adjust autoscale range instead.`
        })
      assert.include(JSON.stringify(yield* ask("autoscale", { max: 513 })), "1 to 512 children")
    })
  )

  it.effect("is renewed without a task being cut short", () =>
    Effect.gen(function* () {
      const { ask, metric, seconds, send, start, success } = yield* makeFleet
      yield* start()
      const id = yield* send()
      yield* seconds(0.5)
      assert.deepStrictEqual(yield* ask("pool_restart"), ok("reload started"))
      yield* seconds(20)
      yield* success(id)
      assert.strictEqual(yield* metric('children_retired_total{reason="renewed"}'), 1)
      const next = yield* send()
      yield* seconds(20)
      yield* success(next)
    })
  )
})

describe("queues", () => {
  it.effect("are added and cancelled while the worker runs", () =>
    Effect.gen(function* () {
      const { ask, result, seconds, send, start } = yield* makeFleet
      yield* start()
      const put = (id: string) => send({ id, queue: "media" })
      yield* put("first")
      yield* seconds(20)
      assert.isUndefined(yield* result("first"))
      assert.deepStrictEqual(yield* ask("add_consumer", { queue: "media" }), ok("add consumer media"))
      yield* seconds(20)
      assert.strictEqual((yield* result("first"))?.status, "SUCCESS")
      const queues = (yield* ask("active_queues")) as ReadonlyArray<{ readonly name: string }>
      assert.deepStrictEqual(
        queues.map(({ name }) => name),
        ["generator_queue", "media"]
      )
      assert.deepStrictEqual(yield* ask("cancel_consumer", { queue: "media" }), ok("no longer consuming from media"))
      yield* put("second")
      yield* seconds(20)
      assert.isUndefined(yield* result("second"))
    })
  )
})

describe("shutdown", () => {
  it.effect("is warm, ends well, and is not answered", () =>
    Effect.gen(function* () {
      const { call, counts, seconds, send, start, success } = yield* makeFleet
      const worker = yield* start()
      const id = yield* send()
      yield* seconds(0.5)
      assert.deepStrictEqual(yield* call({ method: "shutdown" }), {})
      yield* seconds(20)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(worker.fiber)))
      yield* success(id)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("whatever is said", () => {
  it.effect("is answered at once while every slot is busy", () =>
    Effect.gen(function* () {
      const { ask, script, seconds, send, start } = yield* makeFleet
      yield* start()
      yield* script.jobs(never)
      yield* send()
      yield* send()
      yield* seconds(2)
      assert.deepStrictEqual(yield* ask("ping"), ok("pong")) // no time passes in `ask`
      assert.strictEqual(((yield* ask("active")) as ReadonlyArray<unknown>).length, 1)
    })
  )

  it.effect("does not hurt the worker, and a cast is never answered", () =>
    Effect.gen(function* () {
      const { air, ask, call, start, tell } = yield* makeFleet
      const worker = yield* start()
      const unreadable: ReadonlyArray<Readonly<Record<string, unknown>>> = [
        { method: 7 },
        { method: "ping", arguments: "x" },
        { method: "ping", destination: { a: 1 } }
      ]
      for (const body of unreadable)
        assert.match(JSON.stringify(yield* call(body, { clock: "x" })), /^\{"w1@host":\{"error":"ValueError\(/)
      const bad: ReadonlyArray<Readonly<Record<string, unknown>>> = [
        { method: "ping", reply_to: null },
        { method: "no_such_command", reply_to: null },
        { method: "ping", reply_to: { exchange: "generator_queue", routing_key: "generator_queue" } },
        { method: "ping", pattern: "[".repeat(1_000_000), matcher: "glob" },
        { method: "ping", pattern: "[", matcher: "pcre" },
        { method: "ping", pattern: "^(([a-z0-9@])+)+$!", matcher: "pcre" },
        { method: "constructor", reply_to: null }
      ]
      for (const body of bad) assert.deepStrictEqual(yield* call(body, { clock: "x" }), {}, JSON.stringify(body))
      for (const body of [null, 7, "x", [], [null], { type: "worker-heartbeat" }, { type: 1, hostname: [] }])
        yield* tell("worker.heartbeat", body)
      const given: ReadonlyArray<readonly [string, Readonly<Record<string, unknown>>]> = [
        ["revoke", { task_id: { a: 1 } }],
        ["rate_limit", { task_name: ["x"], rate_limit: {} }],
        ["pool_grow", { n: "many" }],
        ["add_consumer", { queue: "" }],
        ["revoke_by_stamped_headers", { headers: ["novalue"] }],
        ["terminate", { task_id: "x", signal: "SIGNOTHING" }],
        ["query_task", {}],
        ["x".repeat(1_000_000), {}],
        ["revoke", { task_id: "x".repeat(1_000_000) }],
        ["revoke", { task_id: Array.from({ length: 50_001 }, (_, at) => `${at}`) }],
        ["terminate", { task_id: ["x".repeat(1001)], signal: "TERM" }],
        ["revoke_by_stamped_headers", { headers: { project: Array.from({ length: 50_001 }, (_, at) => `${at}`) } }],
        ["revoke_by_stamped_headers", { headers: { project: "x".repeat(1_000_000) } }],
        ...["unacked", "unacked_index", "_kombu.binding.x", "celery-task-meta-x", "generator_queue.dead", "x.celery.pidbox"].map(
          (queue) => ["add_consumer", { queue }] as const
        ),
        ...["x".repeat(256), "a\u0006\u0016b", "a\nb", "half a \ud83d"].map((queue) => ["add_consumer", { queue }] as const),
        ["add_consumer", { queue: "q", exchange: "a\u0006\u0016b" }],
        ["rate_limit", { task_name: "generate_model", rate_limit: "1/y" }],
        ["rate_limit", { task_name: "generate_model", rate_limit: [1] }],
        ["time_limit", { task_name: "generate_model", soft: "nan" }],
        ["time_limit", { task_name: "generate_model", hard: Number.NaN }],
        ["time_limit", { task_name: "generate_model", hard: Number.POSITIVE_INFINITY }],
        ["pool_grow", { n: 1e9 }],
        ["pool_shrink", { n: 1e9 }],
        ["registered", { taskinfoitems: Array.from({ length: 101 }, () => "x") }]
      ]
      for (const [method, args] of given) {
        const told = JSON.stringify(yield* ask(method, args))
        assert.match(told, /^\{"error":"(TypeError|IndexError|KeyError|ValueError)\(/, method.slice(0, 50))
        assert.isBelow(told.length, 1200, method.slice(0, 50))
      }
      assert.strictEqual(air.waiting.size, 0)
      assert.deepStrictEqual(yield* ask("ping"), ok("pong"))
      assert.isUndefined(worker.fiber.pollUnsafe())
    })
  )

  it.effect("answers in two megabytes and a beat in a few words, however many tasks it has in hand", () =>
    Effect.gen(function* () {
      const { ask, beats, script, seconds, send, start } = yield* makeFleet
      const slots = 256
      yield* start("w1@host", { WORKER_CONCURRENCY: String(slots), WORKER_PREFETCH_MULTIPLIER: "2" })
      yield* script.jobs(...Array.from({ length: slots }, () => never))
      for (let n = 0; n < 2 * slots; n++) {
        const metadata = { note: "x".repeat(n < 10 ? 100 : 10_000) }
        yield* send({ id: `picture-${n}`, kwargs: { ...five, metadata } })
      }
      yield* seconds(10)
      for (const method of ["active", "reserved"]) {
        const requests = (yield* ask(method)) as ReadonlyArray<{ readonly kwargs: unknown }>
        assert.lengthOf(requests, slots)
        assert.isBelow(JSON.stringify(requests).length, 2_000_000)
        if (method === "active") assert.deepInclude(requests[0]?.kwargs, five, "short ones as they are")
      }
      assert.isBelow(JSON.stringify(yield* ask("stats")).length, 20_000)
      const [worker] = yield* beats
      assert.match(worker?.doing ?? "", /^picture-\d+(, picture-\d+){7} and 248 more$/)
    })
  )

  it.effect("shows no more of a task's arguments than a person looks at, by their repr where they are long", () =>
    Effect.gen(function* () {
      const { ask, script, seconds, send, start } = yield* makeFleet
      yield* start("w1@host", { WORKER_PREFETCH_MULTIPLIER: "3" })
      yield* script.jobs(never)
      const long = { ...five, metadata: { note: "x".repeat(10_000) } }
      yield* send({ id: "short", kwargs: long })
      yield* seconds(2)
      yield* send({ id: "long", kwargs: { templates: Array.from({ length: 5000 }, () => "x".repeat(1000)) } })
      yield* send({ id: "named", kwargs: five, headers: { argsrepr: "y".repeat(1_000_000), shadow: "z".repeat(1_000_000) } })
      yield* seconds(2)
      const [active] = (yield* ask("active")) as ReadonlyArray<{ readonly kwargs: unknown }>
      assert.deepStrictEqual(active?.kwargs, long)
      const reserved = (yield* ask("reserved")) as ReadonlyArray<{ readonly id: string; readonly kwargs: unknown }>
      assert.sameMembers(
        reserved.map(({ id }) => id),
        ["long", "named"]
      )
      assert.match(String(reserved.find(({ id }) => id === "long")?.kwargs), /^\{'templates': \['x+/)
      assert.isBelow(JSON.stringify(reserved).length, 10_000)
      assert.isBelow(JSON.stringify(yield* ask("query_task", { ids: ["long", "named"] })).length, 10_000)
    })
  )

  it.effect("makes it take from no more queues than it can look at for every message", () =>
    Effect.gen(function* () {
      const { ask, start } = yield* makeFleet
      yield* start()
      for (let n = 1; n < 100; n++)
        assert.deepStrictEqual(yield* ask("add_consumer", { queue: `q${n}` }), ok(`add consumer q${n}`))
      assert.match(JSON.stringify(yield* ask("add_consumer", { queue: "q100" })), /takes from 100 queues already/)
      assert.deepStrictEqual(yield* ask("add_consumer", { queue: "q99" }), ok("add consumer q99"))
    })
  )

  it.effect("no setting that is a secret is shown", () =>
    Effect.gen(function* () {
      const { ask, start } = yield* makeFleet
      yield* start("w1@host", {
        CELERY_BROKER_URL: "redis://me:s3cret@broker:6380/4",
        CELERY_RESULT_BACKEND: "rediss://:s3cret@backend/1?ssl_keyfile=s3cret",
        FAL_KEY: "s3cret",
        DATABASE_URL: "postgresql://me:s3cret@database/x",
        REDIS_PASSWORD: "s3cret",
        RESULT_CHORD_ORDERED: "false",
        WORKER_AUTOSCALE: "3,1"
      })
      for (const [method, args] of [
        ["conf", {}],
        ["conf", { with_defaults: true }],
        ["report", {}],
        ["stats", {}]
      ] as const)
        assert.notInclude(JSON.stringify(yield* ask(method, args)), "s3cret")
      assert.deepInclude(yield* ask("conf"), {
        broker_url: "redis://me:********@broker:6380/4",
        result_backend: "rediss://:********@backend/1",
        result_backend_transport_options: { result_chord_ordered: false },
        worker_autoscale: { max: 3, min: 1 }
      })
      assert.deepInclude(((yield* ask("stats")) as { readonly broker: object }).broker, {
        hostname: "broker",
        userid: "me",
        port: 6380,
        virtual_host: "4",
        transport: "redis"
      })
    })
  )
})

describe("neighbours", () => {
  it.effect("tell a worker that comes what is revoked and what time it is", () =>
    Effect.gen(function* () {
      const { air, ask, call, start } = yield* makeFleet
      yield* start()
      yield* ask("revoke", { task_id: "gone" })
      yield* call({ method: "ping" }, { clock: 5000 })
      air.revoked.ids.clear() // so that only mingle can tell
      yield* start("w2@host")
      const answers = yield* call({ method: "revoked" })
      assert.deepStrictEqual(answers["w2@host"], ["gone"])
      const { clock } = (yield* call({ method: "clock" }))["w2@host"] as { readonly clock: number }
      assert.isAbove(clock, 5000)
      const hello = (yield* call({ method: "hello", arguments: { from_node: "x@host", revoked: { other: [12.5, "other"] } } }))[
        "w1@host"
      ] as { readonly revoked: Record<string, readonly [number, string]> }
      assert.sameMembers(Object.keys(hello.revoked), ["gone", "other"])
      assert.isFalse(Number.isInteger(hello.revoked["gone"]![0])) // stock refuses an int
    })
  )

  it.effect("elect one among them, and that one does what was to be done", () =>
    Effect.gen(function* () {
      const { call, seconds, start, result } = yield* makeFleet
      yield* start("w1@host")
      yield* start("w2@host")
      yield* seconds(4) // heartbeats
      const action = { task: "generate_model", kwargs: five, options: { queue: "generator_queue", task_id: "elected" } }
      yield* call({ method: "election", arguments: { id: "el-1", topic: "task", action }, reply_to: null })
      yield* seconds(20)
      assert.strictEqual((yield* result("elected"))?.status, "SUCCESS")
    })
  )
})
