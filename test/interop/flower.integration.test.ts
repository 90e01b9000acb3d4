import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { describeWith } from "../servers/index.ts"
import { freePort } from "../servers/Process.ts"
import { eventually, message } from "../support.ts"
import { startCelery } from "./celeryCommand.ts"
import { five } from "./pictures.ts"
import { makeStage } from "./stage.ts"

const Workers = Schema.Record(
  Schema.String,
  Schema.Struct({
    stats: Schema.Struct({ pool: Schema.Struct({ "max-concurrency": Schema.Int }) }),
    active_queues: Schema.Array(Schema.Struct({ name: Schema.String })),
    registered: Schema.Array(Schema.String),
    conf: Schema.Record(Schema.String, Schema.Unknown)
  })
)
const Tasks = Schema.Record(
  Schema.String,
  Schema.Struct({
    name: Schema.NullOr(Schema.String),
    state: Schema.String,
    worker: Schema.NullOr(Schema.String),
    runtime: Schema.optionalKey(Schema.NullOr(Schema.Finite)),
    exception: Schema.optionalKey(Schema.NullOr(Schema.String)),
    retries: Schema.optionalKey(Schema.NullOr(Schema.Int))
  })
)

describeWith(["redis", "postgres", "flower"], "Flower before a real worker", (servers) => {
  it.live(
    "shows it online with its pool, and its tasks with their states and runtimes; its buttons work",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        yield* stage.start({ WORKER_CONCURRENCY: "2", TASK_RETRY_BACKOFF: "0.1", TASK_RETRY_BACKOFF_MAX: "0.2" })
        const port = yield* Effect.promise(freePort)
        const flower = yield* startCelery(servers.flower.python, stage, ["flower", `--port=${port}`, "--address=127.0.0.1"])
        const get = <A>(path: string, schema: Schema.Codec<A, unknown>) =>
          Effect.tryPromise(() => fetch(`http://127.0.0.1:${port}${path}`).then((reply) => reply.json())).pipe(
            Effect.flatMap(Schema.decodeUnknownEffect(schema)),
            Effect.option
          )
        const post = (path: string) =>
          Effect.promise(() => fetch(`http://127.0.0.1:${port}${path}`, { method: "POST" }).then((reply) => reply.text()))

        const worker = yield* eventually(
          "Flower knows the worker",
          Effect.tap(get("/api/workers?refresh=1", Workers), () => Effect.sleep("500 millis")),
          (found) => found._tag === "Some" && "celery@stage" in found.value
        )
        const seen = worker._tag === "Some" ? worker.value["celery@stage"]! : assert.fail(yield* flower.printed)
        assert.strictEqual(seen.stats.pool["max-concurrency"], 2)
        assert.deepStrictEqual(
          seen.active_queues.map(({ name }) => name),
          ["generator_queue"]
        )
        assert.include(seen.registered, "app.tasks.generate_model")

        // Flower turns task events on by itself, a moment after it has found the worker.
        yield* eventually(
          "task events are on",
          Effect.gen(function* () {
            yield* stage.push(message({ task: "health_check", kwargs: {} }))
            yield* Effect.sleep("300 millis")
            return yield* get("/api/tasks", Tasks)
          }),
          (found) =>
            found._tag === "Some" && Object.values(found.value).some(({ name, state }) => name !== null && state === "SUCCESS")
        )
        yield* stage.fal.setFaults({ route: "submit", kind: "busy", times: 1, skip: 1 })
        for (const [id, kwargs] of [
          ["well", five],
          ["retried", five],
          ["bad", { ...five, gender: "dragon" }]
        ] as const) {
          yield* stage.push(message({ id, task: "app.tasks.generate_model", kwargs }))
          yield* stage.final(id)
        }
        const tasks = yield* eventually(
          "Flower knows the tasks",
          Effect.tap(get("/api/tasks", Tasks), () => Effect.sleep("200 millis")),
          (found) =>
            found._tag === "Some" &&
            ["well", "retried", "bad"].every((id) => /SUCCESS|FAILURE/.test(found.value[id]?.state ?? ""))
        )
        const { bad, retried, well } = tasks._tag === "Some" ? tasks.value : assert.fail()
        assert.deepInclude(well, { name: "app.tasks.generate_model", state: "SUCCESS", worker: "celery@stage" })
        assert.isAbove(well?.runtime ?? 0, 0.2)
        assert.deepInclude(retried, { state: "SUCCESS", retries: 1 })
        assert.strictEqual(bad?.state, "FAILURE")
        assert.match(bad?.exception ?? "", /ValidationError/)

        assert.include(yield* post("/api/worker/pool/grow/celery@stage?n=1"), "Growing")
        assert.include(yield* post("/api/worker/queue/add-consumer/celery@stage?queue=media"), "add consumer media")
        assert.include(
          yield* post("/api/task/rate-limit/generate_model?workername=celery@stage&ratelimit=10/m"),
          "new rate limit set"
        )
        assert.include(
          yield* post("/api/task/timeout/generate_model?workername=celery@stage&soft=100&hard=200"),
          "time limits set"
        )
        const after = yield* get("/api/workers?refresh=1&workername=celery@stage", Workers)
        assert.strictEqual(after._tag === "Some" ? after.value["celery@stage"]?.stats.pool["max-concurrency"] : 0, 3)
      }),
    120_000
  )
})
