import { assert, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { Redis } from "ioredis"
import { execFileSync } from "node:child_process"
import { describeWith, freshDatabase, freshRedis, ownRedis } from "./index.ts"

describeWith(["redis"], "redis-server", ({ redis }) => {
  it.live("gives each test an empty database of its own", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* freshRedis(redis), yield* freshRedis(redis)]
      assert.notStrictEqual(one.db, two.db)
      const client = new Redis(two.url)
      assert.strictEqual(yield* Effect.promise(() => client.dbsize()), 0)
      client.disconnect()
    })
  )

  it.live("comes back with its data after kill -9", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const client = new Redis(server.url(4), { maxRetriesPerRequest: null })
      client.on("error", () => {})
      yield* Effect.promise(() => client.set("kept", "yes"))
      yield* Effect.promise(() => server.stop("KILL"))
      yield* Effect.promise(() => server.start())
      assert.strictEqual(yield* Effect.promise(() => client.get("kept")), "yes")
      client.disconnect()
    })
  )
})

describeWith(["postgres"], "PostgreSQL", ({ postgres }) => {
  it.live("gives each test an empty database, through PgBouncer and directly", () =>
    Effect.gen(function* () {
      const database = yield* freshDatabase(postgres)
      const one = Effect.flatMap(SqlClient.SqlClient, (sql) => sql<{ name: string }>`SELECT current_database()::text AS name`)
      for (const url of [database.url, database.directUrl]) {
        const rows = yield* Effect.provide(one, PgClient.layer({ url: Redacted.make(url), prepare: false }))
        assert.deepStrictEqual(rows, [{ name: database.name }])
      }
    })
  )
})

const celeryOf = (python: string) =>
  execFileSync(python, ["-c", "import celery; print(celery.__version__)"], { encoding: "utf8" })

describeWith(["celery53", "celery56", "celery57"], "Python", ({ celery53, celery56, celery57 }) => {
  it("has the Celery versions that matter", () => {
    assert.match(celeryOf(celery53.python), /^5\.3\.6\s/)
    assert.match(celeryOf(celery56.python), /^5\.6\./)
    assert.match(celeryOf(celery57.python), /^5\.7\.0\s/)
  })
})
