import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { PgClient } from "@effect/sql-pg"
import { describeWith, freshDatabase, freshRedis } from "../../servers/index.ts"
import { freePort } from "../../servers/Process.ts"
import { eventually } from "../../support.ts"
import { program } from "./program.ts"

const { run, start } = program()

const FIVE = ["--gender", "female", "--age-range", "20-30", "--body-type", "slim", "--pose", "side", "--style", "casual"]

describeWith(["redis", "postgres"], "an operator's day", ({ postgres, redis }) => {
  it.live(
    "migrates, starts, makes, edits, looks, and stops",
    () =>
      Effect.gen(function* () {
        const broker = yield* freshRedis(redis)
        const results = yield* freshRedis(redis)
        const database = yield* freshDatabase(postgres)
        const [falPort, metricsPort] = yield* Effect.promise(() => Promise.all([freePort(), freePort()]))
        const env = {
          CELERY_BROKER_URL: broker.url,
          CELERY_RESULT_BACKEND: results.url,
          DATABASE_URL: database.url,
          FAL_KEY: "test:key",
          FAL_BASE_URL: `http://127.0.0.1:${falPort}`,
          METRICS_PORT: String(metricsPort),
          WORKER_NAME: "journey",
          WORKER_CONCURRENCY: "2"
        }
        const ok = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
          const ended = yield* run(args, env)
          assert.strictEqual(ended.code, 0, ended.stdout + ended.stderr)
          return ended
        })

        const fal = yield* start(["fal-simulator", "--port", String(falPort), "--picture-seconds", "0.2"])
        yield* eventually(
          "the simulator",
          Effect.sync(() => fal.out.stdout),
          (text) => text.includes(`FAL_BASE_URL=${env.FAL_BASE_URL}`)
        )

        assert.include((yield* ok("migrate")).stdout, "done: 0001_model_library")
        assert.include((yield* ok("migrate")).stdout, "nothing to do")

        const alone = yield* run(["health", "--json"], env)
        assert.strictEqual(alone.code, 1, "no worker consumes the queue")
        const impatient = yield* run(["generate", ...FIVE, "--timeout", "0.5", "--json"], env)
        assert.strictEqual(impatient.code, 1)
        assert.strictEqual(JSON.parse(impatient.stdout).status, "PENDING")

        const worker = yield* start(["worker"], env)
        yield* eventually("the worker", run(["health", "--self"], env), ({ code }) => code === 0)
        yield* eventually("health", run(["health"], env), ({ code }) => code === 0)
        const taken = yield* run(["worker"], { ...env, WORKER_NAME: "second" })
        assert.strictEqual(taken.code, 1)
        assert.match(taken.stderr, /model-generator: the metrics port is taken .*METRICS_PORT/)

        const made = JSON.parse((yield* ok("generate", ...FIVE, "--seed", "7", "--json")).stdout)
        assert.strictEqual(made.result.seed, 7)
        assert.isTrue(made.result.saved)
        const edited = JSON.parse((yield* ok("edit", "--model-id", made.result.id, "--prompt", "in a red coat", "--json")).stdout)
        assert.strictEqual(edited.result.version, made.result.version + 1)
        const twice = yield* run(["generate", ...FIVE, "--version", "1", "--json"], env)
        assert.strictEqual(twice.code, 1)
        assert.strictEqual(JSON.parse(twice.stdout).error.type, "VersionExists")
        const unsaved = yield* ok("generate", ...FIVE, "--no-save")
        assert.match(unsaved.stdout, /saved +false/)

        const batch = JSON.parse((yield* ok("batch", "--count", "3", "--style", "casual,editorial", "--json")).stdout)
        assert.deepStrictEqual([batch.done, batch.failed, batch.models.length], [3, 0, 3])
        const plan = JSON.parse((yield* ok("batch", "--count", "288", "--dry-run", "--json")).stdout)
        assert.strictEqual(plan.count, 284, "four combinations are there by now")
        assert.isNull(plan.library_not_asked)

        assert.match((yield* ok("health", "--tree")).stdout, /^worker {2}running\n├─ http/)
        assert.match((yield* ok("health", "--tree", "--worker", "celery@journey")).stdout, /consumer/)
        assert.strictEqual(JSON.parse((yield* ok("health", "--json")).stdout).status, "healthy")

        worker.child.kill("SIGTERM")
        assert.strictEqual((yield* Effect.promise(() => worker.ended)).code, 0, worker.out.stderr)
        fal.child.kill("SIGTERM")
        assert.strictEqual((yield* Effect.promise(() => fal.ended)).code, 0)

        const rows = yield* Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT template_id FROM model_library`).pipe(
          Effect.provide(PgClient.layer({ url: Redacted.make(database.directUrl) }))
        )
        assert.strictEqual(rows.length, 6)
      }),
    90_000
  )
})
