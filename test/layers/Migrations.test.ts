import { assert, describe, it, layer as withLayer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { randomUUID } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import * as PostgresPglite from "../../src/layers/postgres/PostgresPglite.ts"
import { describeWith, freshDatabase } from "../servers/index.ts"
import { connected, embedded, pooled } from "./databases.ts"

const byHand = `CREATE TABLE model_library (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    template_id VARCHAR(100) NOT NULL, version INTEGER DEFAULT 1,
    image_url TEXT NOT NULL, thumbnail_url TEXT,
    gender VARCHAR(20), age_range VARCHAR(20), body_type VARCHAR(20), pose VARCHAR(50), style VARCHAR(50),
    prompt TEXT, metadata JSONB, fal_request_id VARCHAR(100), processing_time_ms INTEGER,
    created_at TIMESTAMPTZ DEFAULT NOW(), UNIQUE(template_id, version))`

const all: ReadonlyArray<readonly [number, string]> = [
  [1, "model_library"],
  [2, "one_row_per_request"],
  [3, "ledger"],
  [4, "reviews"],
  [5, "bills"],
  [6, "verdicts"]
]

/** The whole of the schema in words: columns with type, nullability and default, then every index. */
const schema = Effect.gen(function* () {
  const sql = yield* SqlClient
  const columns = yield* sql<{ readonly line: string }>`
    SELECT concat_ws(' ', column_name, data_type, character_maximum_length, is_nullable, column_default) AS line
    FROM information_schema.columns WHERE table_name = 'model_library' ORDER BY ordinal_position`
  const indexes = yield* sql<{ readonly line: string }>`
    SELECT indexdef AS line FROM pg_indexes WHERE tablename = 'model_library' ORDER BY indexname`
  return [...columns, ...indexes].map(({ line }) => line)
})

const insert = (request: string | null, version: number) =>
  Effect.flatMap(
    SqlClient,
    (sql) =>
      sql`INSERT INTO model_library (template_id, version, image_url, fal_request_id) VALUES ('t', ${version}, 'u', ${request})`
  )

/** As it was before the first migration. One database serves all tests: PGlite takes seconds to make one. */
const empty = Effect.flatMap(
  SqlClient,
  (sql) =>
    sql`DROP TABLE IF EXISTS model_library, model_ledger, model_ledger_bills, model_review, model_audit, model_verdict, model_generator_migrations CASCADE`
)

const promises = <E>(name: string, database: Layer.Layer<SqlClient, E>) =>
  withLayer(database, { excludeTestServices: true, timeout: "30 seconds" })(name, (it) => {
    it.effect("an empty database gets the table exactly as it would be made by hand, and its indexes", () =>
      Effect.gen(function* () {
        yield* empty
        assert.deepStrictEqual(
          yield* Migrations.pending,
          all.map(([id, name]) => `000${id}_${name}`)
        )
        assert.deepStrictEqual(yield* Migrations.migrate, all)
        const made = yield* schema
        const sql = yield* SqlClient
        yield* sql`DROP TABLE model_library CASCADE`
        yield* sql.unsafe(byHand)
        const indexes = made.filter((line) => /idx_/.test(line))
        assert.deepStrictEqual(
          made.filter((line) => !indexes.includes(line)),
          yield* schema
        )
        assert.strictEqual(indexes.length, 4)
      })
    )

    it.effect("the second time it changes nothing", () =>
      Effect.gen(function* () {
        yield* empty
        yield* Migrations.migrate
        const before = yield* schema
        assert.deepStrictEqual(yield* Migrations.migrate, [])
        assert.deepStrictEqual(yield* Migrations.pending, [])
        assert.deepStrictEqual(yield* schema, before)
      })
    )

    it.effect("a table made by hand, with or without its indexes, keeps its rows and gets what it lacks", () =>
      Effect.gen(function* () {
        yield* empty
        const sql = yield* SqlClient
        yield* sql.unsafe(byHand)
        yield* sql`CREATE INDEX idx_model_library_gender ON model_library(gender)`
        yield* insert("kept", 1)
        assert.deepStrictEqual(yield* Migrations.migrate, all)
        const rows = yield* sql<{ readonly id: string }>`SELECT fal_request_id AS id FROM model_library`
        assert.deepStrictEqual(rows, [{ id: "kept" }])
        assert.strictEqual((yield* schema).filter((line) => /idx_/.test(line)).length, 4)
      })
    )

    it.effect("from then on a request to fal has one row, while rows without a request are not counted", () =>
      Effect.gen(function* () {
        yield* empty
        yield* Migrations.migrate
        yield* insert("once", 1)
        const error = yield* Effect.flip(insert("once", 2))
        assert.strictEqual(error.reason._tag, "UniqueViolation")
        yield* insert(null, 3)
        yield* insert(null, 4)
      })
    )

    it.effect("decisions that were made before hold afterwards, and later ones too", () =>
      Effect.gen(function* () {
        yield* empty
        yield* Migrations.migrate
        const sql = yield* SqlClient
        const [one, two] = [randomUUID(), randomUUID()]
        for (const id of [one, two])
          yield* sql`INSERT INTO model_library (id, template_id, image_url) VALUES (${id}::uuid, ${id}, 'x')`
        const decide = (id: string, verdict: string) =>
          sql`INSERT INTO model_review (id, model_id, verdict, who) VALUES (gen_random_uuid(), ${id}::uuid, ${verdict}, 'a')`
        yield* sql`DROP TRIGGER model_verdict_holds ON model_review`
        yield* decide(one, "approved")
        yield* decide(one, "rejected")
        yield* decide(two, "approved")
        yield* sql`DELETE FROM model_generator_migrations WHERE migration_id = 6`
        yield* Migrations.migrate
        const verdicts = sql`SELECT model_id::text AS id, verdict FROM model_verdict ORDER BY verdict`
        assert.deepStrictEqual(yield* verdicts, [
          { id: two, verdict: "approved" },
          { id: one, verdict: "rejected" }
        ])
        assert.deepStrictEqual(yield* sql`SELECT id::text AS id FROM model_library_approved`, [{ id: two }])
        yield* decide(two, "undecided")
        assert.deepStrictEqual(yield* verdicts, [{ id: one, verdict: "rejected" }])
      })
    )

    it.effect("requests saved twice before the index was there stop nobody: they stay, and new rows are checked", () =>
      Effect.gen(function* () {
        yield* empty
        const sql = yield* SqlClient
        yield* sql.unsafe(byHand)
        for (const version of [1, 2, 3]) yield* insert("twice", version)
        assert.deepStrictEqual(yield* Migrations.migrate, all)
        const rows = yield* sql<{
          readonly n: number
        }>`SELECT count(*)::int AS n FROM model_library WHERE fal_request_id = 'twice'`
        assert.deepStrictEqual(rows, [{ n: 3 }])
        yield* insert("new", 4)
        assert.strictEqual((yield* Effect.flip(insert("new", 5))).reason._tag, "UniqueViolation")
      })
    )

    it.effect("of three at once one does the work, and none fails", () =>
      Effect.gen(function* () {
        yield* empty
        const runs = yield* Effect.all([Migrations.migrate, Migrations.migrate, Migrations.migrate], { concurrency: "unbounded" })
        assert.deepStrictEqual(runs.flat(), all)
      })
    )
  })

promises("Migrations on PGlite", embedded)

describeWith(["postgres"], "Migrations on PostgreSQL through PgBouncer", ({ postgres }) => {
  promises("Migrations", pooled(postgres))

  it.live("of three workers at once, each a client of its own, one does the work, and none fails", () =>
    Effect.gen(function* () {
      const { url } = yield* freshDatabase(postgres)
      const worker = Effect.provide(Migrations.migrate, connected(url))
      const runs = yield* Effect.all([worker, worker, worker], { concurrency: "unbounded" })
      assert.deepStrictEqual(runs.flat(), all)
    })
  )

  it.live("a migration that fails leaves nothing behind and says what PostgreSQL said", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`CREATE VIEW model_library AS SELECT 1 AS gender`
      const error = yield* Effect.flip(Migrations.migrate)
      assert.match(error.message, /^migrate: .*model_library/)
      assert.strictEqual((yield* Migrations.pending).length, all.length)
    }).pipe(Effect.provide(pooled(postgres)))
  )
})

const again = (dataDir: string) => Effect.provide(Migrations.migrate, PostgresPglite.layer(dataDir))

describe("PGlite in a folder", () => {
  const folder = Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "model-generator-pglite-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )

  it.live(
    "keeps what it has, takes over a dead process's lock, and lets no second one in",
    () =>
      Effect.gen(function* () {
        const dataDir = join(yield* folder, "data")
        assert.deepStrictEqual(yield* again(dataDir), all)
        writeFileSync(`${dataDir}.lock`, "999999999")
        const inside = Effect.gen(function* () {
          assert.deepStrictEqual(yield* Migrations.migrate, [])
          const error = yield* Effect.flip(again(dataDir))
          assert.include(error.message, `in use by process ${process.pid}`)
        })
        yield* Effect.provide(inside, PostgresPglite.layer(dataDir))
        writeFileSync(`${dataDir}.lock`, String(process.ppid))
        assert.include((yield* Effect.flip(again(dataDir))).message, `in use by process ${process.ppid}`)
      }),
    60_000 // it makes three databases
  )
})
