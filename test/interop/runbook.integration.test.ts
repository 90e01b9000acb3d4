/** Recipes of deploy/RUNBOOK.md, run as they stand there; only the server's address is the test's own. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Redis } from "ioredis"
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as kombu from "../../src/wire/kombu.ts"
import { describeWith, ownRedis } from "../servers/index.ts"
import { eventually, message } from "../support.ts"
import { temporaryFolder } from "../servers/Process.ts"
import { ask } from "./pictures.ts"
import { makeStage } from "./stage.ts"

const runbook = readFileSync(join(import.meta.dirname, "..", "..", "deploy", "RUNBOOK.md"), "utf8")
/** The block of commands under a heading that has these words. */
const recipe = (heading: string, words: string): string => {
  const [, section = ""] = runbook.split(new RegExp(`^#+ ${heading}$`, "m"))
  const blocks = [...section.split(/^#+ /m)[0]!.matchAll(/^( *)```(?:bash|sh)\n([^]*?)^ *```$/gm)]
  const found = blocks.find(([, , text]) => text!.includes(words))
  assert.isDefined(found, `${heading}: ${words}`)
  return found![2]!.replaceAll(new RegExp(`^${found![1]}`, "gm"), "")
}

describeWith(["redis", "postgres", "jq"], "a recipe of the runbook", ({ postgres }) => {
  const onStage = Effect.gen(function* () {
    const redis = yield* ownRedis
    const stage = yield* makeStage({ redis, postgres })
    const folder = temporaryFolder("runbook")
    /** Runs commands of the runbook; `databases` are what its numbers of databases are here. */
    const run = (text: string, databases: Readonly<Record<string, number>> = {}) => {
      const here = text
        .replaceAll("redis-cli -h 10.1.0.4", `redis-cli -h ${redis.host} -p ${redis.port}`)
        .replaceAll(/ -n (\d) /g, (whole, n: string) => (databases[n] === undefined ? whole : ` -n ${databases[n]} `))
      const env = { ...process.env, DATABASE_URL: stage.database.url }
      return execFileSync("bash", ["-euo", "pipefail", "-c", here], { cwd: folder, env, encoding: "utf8" })
    }
    return { ...stage, redis, folder, run }
  })

  it.live(
    "puts a flooded queue aside, list by list, and puts back the oldest first",
    () =>
      Effect.gen(function* () {
        const { broker, raw, run } = yield* onStage
        const at = { 4: broker.db }
        for (const priority of kombu.steps)
          for (const n of [1, 2, 3])
            yield* Effect.promise(() =>
              raw.broker.lpush(kombu.list("generator_queue", priority), message({ id: `${priority}-${n}`, priority }).raw)
            )
        const lengths = Effect.promise(() => Promise.all(kombu.lists(["generator_queue"]).map(({ key }) => raw.broker.llen(key))))
        run(recipe("A flooded queue", "RENAMENX"), at)
        assert.deepStrictEqual(yield* lengths, [0, 0, 0, 0])
        run(recipe("A flooded queue", "LMOVE").replace("seq 100", "seq 2"), at)
        assert.deepStrictEqual(yield* lengths, [2, 0, 0, 0])
        const [last] = yield* Effect.promise(() => raw.broker.lrange("generator_queue", -1, -1)) // taken first
        assert.include(last, '"0-1"')
        assert.strictEqual(yield* Effect.promise(() => raw.broker.llen("aside.generator_queue")), 1)
      }),
    60_000
  )

  it.live(
    "puts back the rows that a restored database lacks, from the results, and changes none that is there",
    () =>
      Effect.gen(function* () {
        const { backend, database, final, models, push, run, start } = yield* onStage
        yield* start()
        for (const id of ["a", "b", "c"]) yield* push(ask(id))
        for (const id of ["a", "b", "c"]) assert.strictEqual((yield* final(id))?.status, "SUCCESS")
        yield* push(message({ id: "d" })) // a result that is no picture
        yield* final("d")
        const before = yield* models
        assert.lengthOf(before, 3)
        const sql = (text: string) => execFileSync("psql", [database.url, "-qAtc", text], { encoding: "utf8" })
        sql("DELETE FROM model_library WHERE version > 1 OR template_id = (SELECT max(template_id) FROM model_library)")
        const left = yield* models
        assert.isBelow(left.length, 3)
        run(recipe("The database is restored to yesterday", "pictures.jsonl"), { 5: backend.db })
        const after = yield* models
        const same = [
          "id",
          "template_id",
          "version",
          "image_url",
          "gender",
          "age_range",
          "pose",
          "style",
          "prompt",
          "fal_request_id"
        ]
        const said = (rows: ReadonlyArray<Record<string, unknown>>) => rows.map((row) => same.map((name) => row[name]))
        assert.deepStrictEqual(said(after), said(before))
        for (const row of left) assert.deepInclude(after, row)
      }),
    60_000
  )

  it.live(
    "changes Redis's password under a worker that goes on, by a time in which both are right",
    () =>
      Effect.gen(function* () {
        const { final, push, raw, redis, run, start } = yield* onStage
        yield* Effect.promise(() => raw.broker.call("ACL", "SETUSER", "default", "resetpass", ">old"))
        const old = yield* start({ WORKER_NAME: "celery@old", REDIS_PASSWORD: "old" })
        run(`export REDISCLI_AUTH=old\n${recipe("New keys and passwords", "ACL SETUSER").replace("NEW PASSWORD", "new")}`)
        const next = yield* start({ WORKER_NAME: "celery@new", REDIS_PASSWORD: "new" })
        yield* eventually("the new one consumes", next.health, ({ status }) => status === 200)
        yield* Effect.promise(() => raw.broker.call("ACL", "SETUSER", "default", "<old"))
        assert.strictEqual((yield* old.health).status, 200)
        yield* push(message({ id: "after" }))
        assert.strictEqual((yield* final("after"))?.status, "SUCCESS")
        const refused = new Redis({ host: redis.host, port: redis.port, password: "old", retryStrategy: () => null })
        refused.on("error", () => {}) // told by the answer below
        const why = yield* Effect.promise(() => refused.ping().then(String, String))
        assert.notStrictEqual(why, "PONG")
        refused.disconnect()
      }),
    60_000
  )

  it.live(
    "on a Redis that was lost and is empty: the workers go on by themselves, and what they ran comes to its end",
    () =>
      Effect.gen(function* () {
        const { fal, final, models, push, raw, start } = yield* onStage
        const worker = yield* start({ WORKER_CONCURRENCY: "2" })
        yield* fal.configure({ pictureSeconds: 3 })
        for (const id of ["a", "b"]) yield* push(ask(id))
        yield* eventually("both are at fal", fal.ledger, (rows) => rows.length === 2)
        yield* Effect.promise(() => raw.broker.flushall())
        for (const id of ["a", "b"]) assert.strictEqual((yield* final(id))?.status, "SUCCESS")
        yield* push(message({ id: "next" }))
        assert.strictEqual((yield* final("next"))?.status, "SUCCESS")
        assert.lengthOf(yield* models, 2)
        assert.lengthOf(yield* fal.ledger, 2)
        yield* eventually("it is healthy", worker.health, ({ status }) => status === 200, 40)
      }),
    90_000
  )

  it.live(
    "reads a log: one task, what ended badly, and what was paid",
    () =>
      Effect.gen(function* () {
        const { final, folder, push, run, start } = yield* onStage
        const worker = yield* start()
        yield* push(ask("good"))
        yield* push(message({ id: "bad", task: "generate_model", kwargs: { gender: "nobody" } }))
        for (const id of ["good", "bad"]) yield* final(id)
        writeFileSync(join(folder, "worker.log"), yield* worker.output)
        const commands = recipe("Reading logs", "worker.log").split("\n")
        const [ofTask, badly, paid] = ["THE TASK ID", "failed|revoked", "cost_usd"].map((words) =>
          run(commands.find((line) => line.includes(words))!.replace("THE TASK ID", "good"))
        )
        assert.match(ofTask!, /"event":"started"[^]*"event":"succeeded"/)
        assert.match(badly!, /^\{.*"id":"bad".*\}\n$/)
        assert.strictEqual(Number(paid), 0.025)
      }),
    60_000
  )
})
