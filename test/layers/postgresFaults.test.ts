import { Duration, Effect, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { assert, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import * as ModelLibrarySql from "../../src/layers/postgres/ModelLibrarySql.ts"
import { ModelLibrary } from "../../src/services/ModelLibrary.ts"
import { aModel } from "../contracts/modelLibrary.ts"
import { describeWith, freshDatabase, ownPostgres } from "../servers/index.ts"
import { MAX_CLIENTS } from "../servers/Postgres.ts"
import { proxy } from "../servers/Proxy.ts"
import { connected } from "./databases.ts"
import { timed } from "../support.ts"

const libraryAt = (url: string) => ModelLibrarySql.layer.pipe(Layer.provideMerge(connected(url)))
const rowsAt = (url: string) =>
  Effect.flatMap(SqlClient, (sql) => sql`SELECT fal_request_id FROM model_library`).pipe(Effect.provide(connected(url)))
const migrated = Effect.fnUntraced(function* (server: Parameters<typeof freshDatabase>[0]) {
  const database = yield* freshDatabase(server)
  yield* Effect.provide(Migrations.migrate, connected(database.url))
  return database
})
const by = (port: number, url: string) => {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}
/** As a task does: the save alone, again and again, while that may help. */
const untilSaved = Schedule.spaced("500 millis").pipe(Schedule.upTo({ times: 60 }))

describeWith(["postgres"], "a save", ({ postgres }) => {
  for (const [what, words] of [
    ["commit", "COMMIT"],
    ["insert", "INSERT INTO model_library"],
    ["begin", "BEGIN"]
  ] as const) {
    it.live(`whose answer to the ${what} is lost with the connection is worth a retry, and leaves one row`, () =>
      Effect.gen(function* () {
        const { directUrl, url } = yield* migrated(postgres)
        const way = yield* proxy(postgres.pooledPort)
        const model = aModel()
        yield* Effect.gen(function* () {
          const { ping, save } = yield* ModelLibrary
          yield* Effect.ignore(ping)
          const lost = yield* way.loseAnswerTo(words)
          const error = yield* Effect.flip(save(model))
          assert.isTrue(lost())
          assert.isTrue(error.retryable, error.message)
          assert.lengthOf(yield* rowsAt(directUrl), what === "commit" ? 1 : 0)
          assert.strictEqual((yield* save(model)).falRequestId, model.falRequestId)
          assert.lengthOf(yield* rowsAt(directUrl), 1)
        }).pipe(Effect.provide(libraryAt(by(way.port, url))))
      })
    )
  }

  it.live(
    "over a path that is gone and says nothing fails within 16 s, and goes by another one next",
    () =>
      Effect.gen(function* () {
        const { directUrl, url } = yield* migrated(postgres)
        const way = yield* proxy(postgres.pooledPort)
        const model = aModel()
        yield* Effect.gen(function* () {
          const { save } = yield* ModelLibrary
          yield* save(aModel())
          yield* way.halfOpen
          const [took, error] = yield* Effect.timed(Effect.flip(save(model)))
          assert.isBelow(Duration.toSeconds(took), 16)
          assert.isTrue(error.retryable)
          assert.include(error.message, "no answer within 10s")
          yield* save(model)
          assert.lengthOf(yield* rowsAt(directUrl), 2)
          yield* way.heal // else the end would wait for the silent connection
        }).pipe(Effect.provide(libraryAt(by(way.port, url))))
      }),
    timed(40_000)
  )

  for (const part of ["PgBouncer", "PostgreSQL"] as const) {
    it.live(
      `while ${part} is frozen fails within 16 s as worth a retry, and leaves one row when it goes on`,
      () =>
        Effect.gen(function* () {
          const server = yield* ownPostgres
          const { directUrl, url } = yield* migrated(server)
          const processes = () => {
            if (part === "PgBouncer") return [server.pgbouncer.pid()]
            const main = server.postgres.pid()
            const children = spawnSync("ps", ["-o", "pid=", "--ppid", String(main)], { encoding: "utf8" }).stdout
            return [main, ...children.trim().split(/\s+/).map(Number)]
          }
          const model = aModel()
          yield* Effect.gen(function* () {
            const { save } = yield* ModelLibrary
            yield* save(aModel())
            const frozen = processes()
            for (const pid of frozen) process.kill(pid, "SIGSTOP")
            const [took, error] = yield* Effect.timed(Effect.flip(save(model)))
            for (const pid of frozen) process.kill(pid, "SIGCONT")
            assert.isBelow(Duration.toSeconds(took), 16)
            assert.isTrue(error.retryable)
            yield* Effect.retry(save(model), untilSaved)
            yield* Effect.retry(save(model), untilSaved)
            assert.lengthOf(yield* rowsAt(directUrl), 2)
          }).pipe(Effect.provide(libraryAt(url)))
        }),
      timed(60_000)
    )
  }

  it.live(
    "that finds PgBouncer's pool full waits at most 16 s and says so, as worth a retry",
    () =>
      Effect.gen(function* () {
        const server = yield* ownPostgres
        const { directUrl, url } = yield* migrated(server)
        const model = aModel()
        yield* Effect.gen(function* () {
          const { save } = yield* ModelLibrary
          // Its five places are taken by others, in the middle of their transactions.
          const crowd = yield* Effect.forkChild(
            Effect.flatMap(SqlClient, (sql) =>
              Effect.all(
                Array.from({ length: 5 }, () => sql`SELECT pg_sleep(14)::text`),
                { concurrency: "unbounded" }
              )
            ).pipe(Effect.provide(connected(url, { DATABASE_POOL: "5" })))
          )
          yield* Effect.sleep("500 millis")
          const [took, error] = yield* Effect.timed(Effect.flip(save(model)))
          assert.isBelow(Duration.toSeconds(took), 16)
          assert.isTrue(error.retryable)
          assert.include(error.message, "no answer within 10s")
          yield* Effect.retry(save(model), untilSaved)
          assert.lengthOf(yield* rowsAt(directUrl), 1)
          crowd.interruptUnsafe()
        }).pipe(Effect.provide(libraryAt(url)))
      }),
    timed(60_000)
  )

  it.live(
    "that PgBouncer turns away at its door (max_client_conn) says so, as worth a retry, and goes through once there is room",
    () =>
      Effect.gen(function* () {
        const server = yield* ownPostgres
        const { directUrl, url } = yield* migrated(server)
        const model = aModel()
        const crowd = Array.from({ length: MAX_CLIENTS }, () => connect(server.pooledPort, "127.0.0.1").on("error", () => {}))
        const leave = Effect.sync(() => crowd.forEach((socket) => socket.destroy()))
        yield* Effect.addFinalizer(() => leave)
        yield* Effect.promise(() => Promise.all(crowd.map((socket) => once(socket, "connect"))))
        for (const socket of crowd) socket.write(Buffer.of(0)) // who says nothing does not come in
        yield* Effect.gen(function* () {
          const { save } = yield* ModelLibrary
          const error = yield* Effect.flip(save(model))
          assert.isTrue(error.retryable)
          assert.include(error.message, "no more connections allowed (max_client_conn)")
          yield* leave
          yield* Effect.retry(save(model), untilSaved)
          assert.lengthOf(yield* rowsAt(directUrl), 1)
        }).pipe(Effect.provide(libraryAt(url)))
      }),
    40_000
  )

  it.live(
    "that finds no place at PostgreSQL (too many connections) says so, as worth a retry",
    () =>
      Effect.gen(function* () {
        const database = yield* migrated(postgres)
        const limit = (count: number) =>
          Effect.flatMap(SqlClient, (sql) => sql.unsafe(`ALTER DATABASE ${database.name} CONNECTION LIMIT ${count}`)).pipe(
            Effect.provide(connected(database.directUrl))
          )
        yield* limit(0)
        const error = yield* Effect.gen(function* () {
          const { save } = yield* ModelLibrary
          return yield* Effect.flip(save(aModel()))
        }).pipe(Effect.provide(libraryAt(database.directUrl)))
        assert.isTrue(error.retryable)
        assert.match(error.message, /too many connections .* \[53300\]/)
      }),
    40_000
  )
})

describeWith(["postgres"], "a migration", ({ postgres }) => {
  it.live("without the right to create says what PostgreSQL said, leaves nothing, and goes through once it may", () =>
    Effect.gen(function* () {
      const { directUrl, url } = yield* freshDatabase(postgres)
      const may = (words: string) =>
        Effect.flatMap(SqlClient, (sql) => sql.unsafe(words)).pipe(Effect.provide(connected(directUrl)))
      yield* may("REVOKE CREATE ON SCHEMA public FROM pg_database_owner")
      const error = yield* Effect.flip(Effect.provide(Migrations.migrate, connected(url)))
      assert.match(error.message, /permission denied for schema public \[42501\]/)
      yield* may("GRANT CREATE ON SCHEMA public TO pg_database_owner")
      assert.isNotEmpty(yield* Effect.provide(Migrations.migrate, connected(url)))
    })
  )

  it.live("whose connection is cut in its middle leaves all of it or nothing, and the next one ends it", () =>
    Effect.gen(function* () {
      const { directUrl, url } = yield* freshDatabase(postgres)
      const way = yield* proxy(postgres.pooledPort)
      yield* way.loseAnswerTo("CREATE UNIQUE INDEX")
      const error = yield* Effect.flip(Migrations.migrate).pipe(Effect.provide(connected(by(way.port, url))))
      assert.isTrue(error.retryable, error.message)
      const tables = Effect.flatMap(SqlClient, (sql) => sql`SELECT to_regclass('model_library')::text AS name`).pipe(
        Effect.provide(connected(directUrl))
      )
      assert.deepStrictEqual(yield* tables, [{ name: null }])
      assert.isNotEmpty(yield* Effect.provide(Migrations.migrate, connected(url)))
      assert.deepStrictEqual(yield* tables, [{ name: "model_library" }])
    })
  )
})
