import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect } from "node:net"
import { describeWith, ownRedisWith } from "../servers/index.ts"
import { eventually, message, uniqueId } from "../support.ts"
import { makeStage, startProgram } from "./stage.ts"

/** What the program says in all, and how it ends. */
const answers = Effect.fnUntraced(function* (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) {
  const program = yield* startProgram(args, env)
  const { code } = yield* program.exited
  return { code, said: yield* program.output }
}, Effect.scoped)

const FIVE = ["--gender", "female", "--age-range", "20-30", "--body-type", "slim", "--pose", "side", "--style", "casual"]

/** Whether somebody listens on Node's debugger's port. */
const debuggerListens = Effect.callback<boolean>((resume) => {
  const socket = connect(9229, "127.0.0.1")
  socket.once("connect", () => resume(Effect.succeed(true)))
  socket.once("error", () => resume(Effect.succeed(false)))
  return Effect.sync(() => socket.destroy())
})

describeWith(["redis", "postgres"], "a worker whose Redis has not the database of its URL", ({ postgres }) => {
  it.live(
    "takes nothing of another application's, says so once and in its health, and so does every command",
    () =>
      Effect.gen(function* () {
        const redis = yield* ownRedisWith({ databases: 4 })
        const stage = yield* makeStage({ redis, postgres })
        const env = { CELERY_BROKER_URL: redis.url(4), CELERY_RESULT_BACKEND: redis.url(5) }
        const zero = stage.raw.broker.duplicate({ db: 0 })
        yield* Effect.addFinalizer(() => Effect.sync(() => zero.disconnect()))
        const theirs = message({ id: uniqueId("theirs") })
        yield* Effect.promise(() => zero.lpush(theirs.queue, theirs.raw))
        const worker = yield* stage.start(env)
        const { body, status } = yield* eventually("it says why", worker.health, ({ body }) =>
          /database/.test(String(body["why"]))
        )
        assert.strictEqual(status, 503)
        assert.match(String(body["why"]), /database 4 is refused \(ERR DB index is out of range\).*CELERY_BROKER_URL/)
        yield* Effect.sleep("5 seconds")
        const log = yield* worker.output
        assert.strictEqual(log.split("Redis at").length - 1, 2, log) // one line for each of the two
        assert.notInclude(log, "celery@stage ready")
        assert.deepStrictEqual(yield* Effect.promise(() => zero.lrange(theirs.queue, 0, -1)), [theirs.raw])
        const others = (yield* Effect.promise(() => zero.keys("*"))).filter((key) => key !== "databases handed out")
        assert.deepStrictEqual(others, [theirs.queue])

        const own = { ...stage.env, ...env, METRICS_PORT: String(worker.port) }
        for (const args of [
          ["health"],
          ["health", "--self"],
          ["generate", ...FIVE],
          ["batch", "--count", "1"],
          ["dead", "list"]
        ]) {
          const { code, said } = yield* answers(args, own)
          assert.strictEqual(code, 1, said)
          assert.match(said, /database 4 is refused/, args.join(" "))
          assert.notInclude(said, "    at ")
        }
        // Nobody would see what became of it.
        const blind = yield* answers(["generate", ...FIVE], { ...own, CELERY_BROKER_URL: redis.url(3) })
        assert.match(blind.said, /database 5 is refused.*CELERY_RESULT_BACKEND/)
        const three = zero.duplicate({ db: 3 })
        yield* Effect.addFinalizer(() => Effect.sync(() => three.disconnect()))
        assert.deepStrictEqual(yield* Effect.promise(() => three.keys("*")), [])
      }),
    90_000
  )
})

describeWith(["redis", "postgres"], "a worker that starts", ({ postgres, redis }) => {
  it.live(
    "says that it is ready when all has answered and not before, and counts no error when all is well",
    () =>
      Effect.gen(function* () {
        const results = yield* ownRedisWith({})
        const stage = yield* makeStage({ redis, postgres })
        yield* Effect.promise(() => results.stop())
        const id = uniqueId("early")
        yield* stage.push(message({ id, task: "health_check" }))
        const worker = yield* stage.start({ CELERY_RESULT_BACKEND: results.url(5) })
        yield* eventually("it says which", worker.output, (log) => /not ready.*the results cannot be reached/.test(log))
        assert.notInclude(yield* worker.output, "celery@stage ready")
        assert.deepInclude(yield* stage.left, { queued: 1, unacked: 0 })
        yield* Effect.promise(() => results.start())
        yield* eventually("it is ready", worker.output, (log) => log.includes("celery@stage ready"))
        yield* eventually("it works", stage.left, ({ queued, unacked }) => queued + unacked === 0)

        const well = yield* stage.start({ WORKER_NAME: "celery@well" })
        yield* eventually("ready", well.output, (log) => log.includes("celery@well ready"))
        const page = yield* Effect.promise(async () => (await fetch(`http://127.0.0.1:${well.port}/metrics`)).text())
        assert.notMatch(page, /redis_errors_total\{.*\} [1-9]/)
        assert.notInclude(yield* well.output, "WARN")
      }),
    60_000
  )

  it.live(
    "answers SIGUSR1 and SIGUSR2 with what it is doing and opens no debugger; SIGHUP stops it in order",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ redis, postgres })
        const worker = yield* stage.start()
        yield* eventually("ready", worker.output, (log) => log.includes(" ready"))
        for (const [signal, times] of [
          ["SIGUSR1", 1],
          ["SIGUSR2", 2]
        ] as const) {
          yield* worker.signal(signal)
          const told = (log: string) => log.split("what celery@stage is doing").length - 1
          yield* eventually(`${signal} is answered`, worker.output, (log) => told(log) === times)
        }
        assert.include(yield* worker.output, "consumer")
        assert.isFalse(yield* debuggerListens)
        assert.strictEqual((yield* worker.health).status, 200)
        yield* worker.signal("SIGHUP")
        assert.deepStrictEqual(yield* worker.exited, { code: 0, signal: null })
      }),
    60_000
  )
})
