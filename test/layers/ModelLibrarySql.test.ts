import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Option, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import * as ModelLibrarySql from "../../src/layers/postgres/ModelLibrarySql.ts"
import { ModelLibrary } from "../../src/services/ModelLibrary.ts"
import { aModel, modelLibraryContract } from "../contracts/modelLibrary.ts"
import { describeWith, freshDatabase, ownPostgres } from "../servers/index.ts"
import { wire } from "../servers/wire.ts"
import { eventually, timed } from "../support.ts"
import { connected, embedded, pooled } from "./databases.ts"

/** The library on a database that is up to date. */
const library = <A extends SqlClient, E>(database: Layer.Layer<A, E>) =>
  ModelLibrarySql.layer.pipe(Layer.provideMerge(Layer.effectDiscard(Migrations.migrate)), Layer.provideMerge(database))

modelLibraryContract("ModelLibrarySql on PGlite", library(embedded))

describeWith(["postgres"], "ModelLibrarySql on PostgreSQL through PgBouncer", ({ postgres }) => {
  modelLibraryContract("ModelLibrarySql", library(pooled(postgres)))

  it.live("workers of different processes share the versions of a template", () =>
    Effect.gen(function* () {
      const { url } = yield* freshDatabase(postgres)
      yield* Effect.provide(Migrations.migrate, connected(url))
      const { templateId } = aModel()
      const worker = Effect.flatMap(ModelLibrary, ({ save }) =>
        Effect.all(
          Array.from({ length: 10 }, () => save(aModel({ templateId }))),
          { concurrency: 5 }
        )
      ).pipe(Effect.provide(ModelLibrarySql.layer.pipe(Layer.provide(connected(url)))))
      const saved = (yield* Effect.all([worker, worker, worker], { concurrency: "unbounded" })).flat()
      assert.strictEqual(new Set(saved.map(({ version }) => version)).size, 30)
      assert.strictEqual(Math.max(...saved.map(({ version }) => version)), 30)
    })
  )

  it.live("a crowd on one template, each on a connection of its own, is served in turn: nobody loses too often and fails", () =>
    Effect.gen(function* () {
      const { directUrl } = yield* freshDatabase(postgres)
      const { templateId } = aModel()
      const saved = yield* Effect.flatMap(ModelLibrary, ({ save }) =>
        Effect.all(
          Array.from({ length: 60 }, () => save(aModel({ templateId }))),
          { concurrency: "unbounded" }
        )
      ).pipe(Effect.provide(library(connected(directUrl, { DATABASE_POOL: "30" }))))
      assert.strictEqual(new Set(saved.map(({ version }) => version)).size, 60)
    })
  )

  it.live("a crowd on one template that waits for another process's turn does not hold up the others", () =>
    Effect.gen(function* () {
      const { directUrl } = yield* freshDatabase(postgres)
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient
        const { save } = yield* ModelLibrary
        const { templateId } = aModel()
        const [held, over] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const other = Effect.flatMap(SqlClient, (sql) =>
          sql`SELECT pg_advisory_xact_lock(${0x6d6f6465}::int, hashtext(${templateId}))::text`.pipe(
            Effect.andThen(Deferred.succeed(held, undefined)),
            Effect.andThen(Deferred.await(over)),
            sql.withTransaction
          )
        )
        const turn = yield* Effect.forkChild(Effect.provide(other, Layer.fresh(connected(directUrl))))
        yield* Deferred.await(held)
        const crowd = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 5 }, () => aModel({ templateId })),
            (model) => save(model),
            { concurrency: "unbounded" }
          )
        )
        const waiting = sql<{ count: number }>`SELECT count(*)::int FROM pg_locks 
          WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
        yield* eventually("one of them waits for the lock", waiting, ([row]) => row!.count === 1)
        yield* save(aModel())
        yield* Deferred.succeed(over, undefined)
        yield* Fiber.join(turn)
        assert.lengthOf(yield* Fiber.join(crowd), 5)
      }).pipe(Effect.provide(library(connected(directUrl, { DATABASE_POOL: "2" }))))
    })
  )

  it.live("a row that somebody else writes meanwhile costs a saver its version, not its picture", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { save } = yield* ModelLibrary
      const { templateId } = aModel()
      // Holds version 1 without taking turns, as a hand at psql would, until the saver has run into it.
      const written = yield* Deferred.make<void>()
      const intruder = Effect.gen(function* () {
        yield* sql`INSERT INTO model_library (template_id, version, image_url) VALUES (${templateId}, 1, 'by hand')`
        yield* Deferred.succeed(written, undefined)
        const waiting = sql<{ count: number }>`
          SELECT count(*)::int FROM pg_locks WHERE transactionid = pg_current_xact_id()::xid AND NOT granted`
        yield* eventually("the saver waits", waiting, ([row]) => row!.count > 0)
      }).pipe(sql.withTransaction)
      const saver = Effect.andThen(Deferred.await(written), save(aModel({ templateId })))
      const [, saved] = yield* Effect.all([intruder, saver], { concurrency: "unbounded" })
      assert.strictEqual(saved.version, 2)
    }).pipe(Effect.provide(library(pooled(postgres))))
  )

  const spoilt = {
    "a column by hand that must not be empty": ["ALTER TABLE model_library ADD COLUMN owner TEXT NOT NULL", "23502"],
    "a column that is too narrow": ["ALTER TABLE model_library ALTER COLUMN style TYPE VARCHAR(3)", "22001"],
    "a trigger that forbids it": [
      `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
       CREATE TRIGGER no BEFORE INSERT ON model_library FOR EACH ROW EXECUTE FUNCTION no()`,
      "P0001"
    ]
  } as const
  for (const [what, [statement, code]] of Object.entries(spoilt))
    it.live(`a rehearsal finds out that the table takes no row of ours for ${what}, for good, as the save would`, () =>
      Effect.gen(function* () {
        const { directUrl } = yield* freshDatabase(postgres)
        yield* Effect.gen(function* () {
          const sql = yield* SqlClient
          const { rehearse, save } = yield* ModelLibrary
          yield* rehearse
          yield* sql`DROP VIEW model_library_approved` // it uses every column
          for (const one of statement.split(/;\s*(?=CREATE TRIGGER)/)) yield* sql.unsafe(one)
          for (const error of [yield* Effect.flip(rehearse), yield* Effect.flip(save(aModel()))]) {
            assert.include(error.message, `[${code}]`)
            assert.isFalse(error.retryable)
          }
          assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS rows FROM model_library`, [{ rows: 0 }])
        }).pipe(Effect.provide(library(connected(directUrl))))
      })
    )

  it.live("while PgBouncer or PostgreSQL is away each call fails as worth a retry, and works once they are back", () =>
    Effect.gen(function* () {
      const server = yield* ownPostgres
      const { url } = yield* freshDatabase(server)
      const model = aModel()
      yield* Effect.gen(function* () {
        const { ping, save } = yield* ModelLibrary
        const saved = yield* save(model)
        for (const part of [server.pgbouncer, server.postgres]) {
          yield* Effect.promise(() => part.stop("INT"))
          for (const error of [yield* Effect.flip(ping), yield* Effect.flip(save(aModel()))]) {
            assert.isTrue(error.retryable)
            assert.notInclude(error.message, server.password)
          }
          yield* Effect.promise(() => part.start())
          assert.deepStrictEqual(
            yield* Effect.retry(save(model), {
              schedule: Schedule.spaced("100 millis"),
              times: 20,
              while: ({ retryable }) => retryable
            }),
            saved
          )
        }
      }).pipe(Effect.provide(library(connected(url))))
    })
  )

  for (const word of ["BEGIN", "pg_advisory_xact_lock", "INSERT", "COMMIT"]) {
    it.live(`a save whose ${word} gets no answer fails as worth a retry, and leaves one row when it is repeated`, () =>
      Effect.gen(function* () {
        const { url } = yield* freshDatabase(postgres)
        let losing = false
        const port = yield* wire(postgres.pooledPort, (request) => {
          const lose = losing && request.includes(word)
          losing &&= !lose
          return { fate: lose ? "lose" : "carry" }
        })
        yield* Effect.gen(function* () {
          const { save } = yield* ModelLibrary
          const model = aModel()
          losing = true
          assert.isTrue((yield* Effect.flip(save(model))).retryable)
          assert.strictEqual((yield* save(model)).version, 1)
        }).pipe(Effect.provide(library(connected(url.replace(`:${postgres.pooledPort}/`, `:${port}/`)))))
      })
    )
  }

  it.live(
    "a ping is answered within a second although the server is frozen",
    () =>
      Effect.gen(function* () {
        const server = yield* ownPostgres
        const signal = (name: "SIGSTOP" | "SIGCONT") => Effect.sync(() => process.kill(server.pgbouncer.pid(), name))
        const { url } = yield* freshDatabase(server)
        yield* Effect.gen(function* () {
          const { ping } = yield* ModelLibrary
          yield* ping
          yield* signal("SIGSTOP")
          const [took, error] = yield* Effect.timed(Effect.flip(ping))
          yield* signal("SIGCONT")
          assert.include(error.detail, "no answer")
          assert.isBelow(Duration.toMillis(took), 1000)
          yield* Effect.retry(ping, { times: 20 })
        }).pipe(Effect.provide(library(connected(url))))
      }),
    timed()
  )

  it.live("a paid picture is saved although its prompt has characters PostgreSQL cannot hold", () =>
    Effect.gen(function* () {
      const { save } = yield* ModelLibrary
      const saved = yield* save(aModel({ prompt: "a\0b\ud800c", metadata: { "k\0": ["\udfff", { deep: "x\0" }] } }))
      assert.strictEqual(saved.prompt, "a\ufffdb\ufffdc")
      assert.deepStrictEqual(saved.metadata, { "k\ufffd": ["\ufffd", { deep: "x\ufffd" }] })
    }).pipe(Effect.provide(library(pooled(postgres))))
  )

  it.live("rows made by hand are read, and counted among the versions", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { find, save } = yield* ModelLibrary
      const { templateId } = aModel()
      yield* sql`INSERT INTO model_library (template_id, version, image_url, metadata) VALUES (${templateId}, NULL, 'by hand', '[1]')`
      const found = Option.getOrThrow(yield* find({ templateId, version: null }))
      assert.deepInclude(found, { version: 1, metadata: null, falRequestId: null, imageUrl: "by hand" })
      assert.strictEqual((yield* save(aModel({ templateId }))).version, 2)
      assert.strictEqual(Option.getOrThrow(yield* find({ templateId, version: null })).version, 2)
    }).pipe(Effect.provide(library(pooled(postgres))))
  )

  it.live("without its table it says what to run", () =>
    Effect.gen(function* () {
      const { ping, save } = yield* ModelLibrary
      for (const error of [yield* Effect.flip(save(aModel())), yield* Effect.flip(ping)]) {
        assert.match(error.message, /model_library.*model-generator migrate/)
        assert.isTrue(error.retryable)
      }
    }).pipe(Effect.provide(ModelLibrarySql.layer.pipe(Layer.provide(pooled(postgres)))))
  )

  it.live("what the database refuses for good is not worth a retry, and PostgreSQL's own words say why", () =>
    Effect.gen(function* () {
      const { save } = yield* ModelLibrary
      const error = yield* Effect.flip(save(aModel({ gender: "x".repeat(21) })))
      assert.isFalse(error.retryable)
      assert.match(error.detail, /too long for type character varying\(20\) \[22001\]/)
    }).pipe(Effect.provide(library(pooled(postgres))))
  )
})

/** A port that nothing listens on. */
const nowhere = ModelLibrarySql.layer.pipe(Layer.provide(connected("postgresql://worker:hidden-word@127.0.0.1:1/none")))

describe("ModelLibrarySql without a database", () => {
  it.live("starts all the same, and fails each call as worth a retry, without the password", () =>
    Effect.gen(function* () {
      const { find, ping, save } = yield* ModelLibrary
      for (const call of [save(aModel()), find({ templateId: "any", version: null }), ping]) {
        const error = yield* Effect.flip(call)
        assert.isTrue(error.retryable)
        assert.notInclude(JSON.stringify(error) + error.message, "hidden-word")
      }
    }).pipe(Effect.provide(nowhere))
  )

  it.live("does not start with a DATABASE_URL that can never work, and does not show it", () =>
    Effect.gen(function* () {
      const url = "postgresql://worker:hidden/word@127.0.0.1:1/none"
      const error = yield* Effect.flip(Effect.scoped(Layer.build(connected(url))))
      assert.match(error.message, /DATABASE_URL has an @ or a # behind its user/)
      assert.notInclude(error.message, "hidden")
    })
  )
})
