import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { describeWith, freshDatabase, freshRedis, ownRedis } from "../servers/index.ts"
import { eventually, message, uniqueId } from "../support.ts"
import { five } from "./pictures.ts"
import { makeStage, nothing, startProgram } from "./stage.ts"

const ask = () => {
  const id = uniqueId("picture")
  return { id, message: message({ id, task: "generate_model", kwargs: five }) }
}
const asOwner = (url: string, use: (sql: SqlClient.SqlClient) => Effect.Effect<unknown, unknown>) =>
  Effect.flatMap(SqlClient.SqlClient, use).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(url) })), Effect.orDie)
const answers = Effect.fnUntraced(function* (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) {
  const { exited, output } = yield* startProgram(args, env)
  return { ...(yield* exited), said: yield* output }
}, Effect.scoped)
const page = (port: number) =>
  Effect.promise(async () => {
    const reply = await fetch(`http://127.0.0.1:${port}/metrics`)
    return reply.text()
  })
type Stage = Effect.Success<ReturnType<typeof makeStage>>
const savedOnce = Effect.fnUntraced(function* (stage: Stage, id: string) {
  const document = yield* stage.final(id)
  assert.strictEqual(document?.status, "SUCCESS", JSON.stringify(document))
  assert.deepStrictEqual([(yield* stage.fal.ledger).length, (yield* stage.models).length], [1, 1])
  yield* eventually("nothing is left", stage.left, (left) => JSON.stringify(left) === JSON.stringify(nothing))
})

describeWith(["redis", "postgres"], "what an operator may get wrong", ({ postgres, redis }) => {
  it.live(
    "a wrong Redis password: worker and health say so and which setting it is, and the right one is enough",
    () =>
      Effect.gen(function* () {
        const own = yield* ownRedis
        const stage = yield* makeStage({ redis: own, postgres })
        yield* Effect.promise(() => stage.raw.broker.config("SET", "requirepass", "right-word"))
        const env = { ...stage.env, REDIS_PASSWORD: "wrong-word" }
        const worker = yield* stage.start({ REDIS_PASSWORD: "wrong-word" })
        const { body, status } = yield* eventually(
          "it says why",
          worker.health,
          ({ body }) => !/starting/.test(String(body["why"]))
        )
        assert.strictEqual(status, 503)
        assert.match(String(body["why"]), /WRONGPASS.*REDIS_PASSWORD/)
        assert.include(yield* worker.output, "WRONGPASS")
        const health = yield* answers(["health"], env)
        assert.strictEqual(health.code, 1)
        assert.match(health.said, /bad +Redis broker .*WRONGPASS/)
        assert.match(health.said, /→ .*REDIS_PASSWORD/)
        assert.notInclude(health.said + (yield* worker.output), "wrong-word")
        yield* Effect.promise(() => stage.raw.broker.config("SET", "requirepass", "wrong-word"))
        yield* eventually("it works now", worker.health, ({ status }) => status === 200)
      }),
    60_000
  )

  it.live(
    "a database without the table: nothing is bought until migrate has been run",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ redis, postgres })
        yield* asOwner(stage.env.DATABASE_URL, (sql) => sql`DROP TABLE model_library, model_generator_migrations CASCADE`)
        const worker = yield* stage.start()
        const { id, message } = ask()
        yield* stage.push(message)
        const { body } = yield* eventually("it says why", worker.health, ({ body }) => /42P01/.test(String(body["why"])))
        assert.match(String(body["why"]), /not ready: .*run: model-generator migrate/)
        const health = yield* answers(["health"], stage.env)
        assert.match(health.said, /bad +PostgreSQL .*42P01.*run: model-generator migrate/)
        assert.match(health.said, /bad +migrations +pending: 0001_model_library/)
        assert.match(health.said, /bad +generator_queue .*celery@stage is not ready/)
        assert.strictEqual((yield* stage.fal.ledger).length, 0)
        assert.strictEqual((yield* answers(["migrate"], stage.env)).code, 0)
        yield* savedOnce(stage, id)
      }),
    60_000
  )

  it.live(
    "a table that is dropped under a worker: the picture is kept until migrate has been run, and is not bought again",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ redis, postgres }, { pictureSeconds: 1 })
        const worker = yield* stage.start({ TASK_RETRY_BACKOFF_MAX: "0.5" })
        const { id, message } = ask()
        yield* stage.push(message)
        yield* eventually("bought", stage.fal.ledger, (ledger) => ledger.length === 1)
        yield* asOwner(stage.env.DATABASE_URL, (sql) => sql`DROP TABLE model_library, model_generator_migrations CASCADE`)
        yield* eventually("tried again", stage.result(id), (document) => document?.status === "RETRY")
        assert.include(yield* worker.output, "model-generator migrate")
        assert.match(yield* page(worker.port), /database_errors_total\{operation="\w+",error="42P01"\} [1-9]/)
        assert.strictEqual((yield* answers(["migrate"], stage.env)).code, 0)
        yield* savedOnce(stage, id)
      }),
    60_000
  )

  it.live("a database where we may not make the table: migrate says whose turn it is", () =>
    Effect.gen(function* () {
      const { directUrl, url } = yield* freshDatabase(postgres)
      const { url: broker } = yield* freshRedis(redis)
      yield* asOwner(directUrl, (sql) => sql`REVOKE CREATE ON SCHEMA public FROM pg_database_owner, PUBLIC`)
      const { code, said } = yield* answers(["migrate"], { DATABASE_URL: url, CELERY_BROKER_URL: broker })
      assert.strictEqual(code, 1)
      assert.match(
        said,
        /the database: .*permission denied for schema public \[42501\] \(run: .* as the owner of the table.*RUNBOOK/
      )
    })
  )

  it.live(
    "Redis takes no writes (its disk or memory is full): nothing is lost, nothing is bought twice, and a metric names it",
    () =>
      Effect.gen(function* () {
        const own = yield* ownRedis
        const stage = yield* makeStage({ redis: own, postgres }, { pictureSeconds: 1 })
        const worker = yield* stage.start()
        const { id, message } = ask()
        yield* stage.push(message)
        yield* eventually("bought", stage.fal.ledger, (ledger) => ledger.length === 1)
        yield* Effect.promise(() => stage.raw.broker.config("SET", "maxmemory-policy", "noeviction", "maxmemory", "1"))
        yield* eventually("refused", page(worker.port), (text) =>
          /redis_errors_total\{server="[^"]+",error="OOM"\} [1-9]/.test(text)
        )
        yield* Effect.promise(() => stage.raw.broker.config("SET", "maxmemory", "0"))
        yield* savedOnce(stage, id)
      }),
    60_000
  )

  it.live(
    "PostgreSQL's disk is full: the save is tried again until it is not, and the picture is not bought again",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ redis, postgres }, { pictureSeconds: 1 })
        const worker = yield* stage.start({ TASK_RETRY_BACKOFF_MAX: "0.5" })
        const { id, message } = ask()
        yield* stage.push(message)
        yield* eventually("bought", stage.fal.ledger, (ledger) => ledger.length === 1)
        // What the server says then, without filling a disk.
        yield* asOwner(stage.env.DATABASE_URL, (sql) =>
          Effect.andThen(
            sql`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`,
            sql`CREATE TRIGGER full_disk BEFORE INSERT ON model_library EXECUTE FUNCTION full_disk()`
          )
        )
        yield* eventually("tried again", stage.result(id), (document) => document?.status === "RETRY")
        assert.include(yield* worker.output, "No space left on device [53100]")
        assert.match(yield* page(worker.port), /database_errors_total\{operation="save",error="53100"\} [1-9]/)
        yield* asOwner(stage.env.DATABASE_URL, (sql) => sql`DROP TRIGGER full_disk ON model_library`)
        yield* savedOnce(stage, id)
      }),
    60_000
  )
})
