import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Option, Redacted, Result } from "effect"
import * as Settings from "../../services/Settings.ts"
import * as DatabaseAddress from "../../services/settings/DatabaseAddress.ts"
import { counting } from "../counting.ts"
import { connectionOf } from "./connection.ts"

/**
 * PostgreSQL by `DATABASE_URL`, through PgBouncer in transaction mode or directly. No connection is made before the first query,
 * and lost ones are replaced by the next, so a worker starts and lives on while the database is away.
 */
export const layer = PgClient.layerFrom(
  Effect.gen(function* () {
    const settings = yield* Settings.of("DATABASE_URL", "DATABASE_POOL", "WORKER_CONCURRENCY", "WORKER_AUTOSCALE")
    const { DATABASE_POOL, DATABASE_URL } = settings
    const children = Option.match(settings.WORKER_AUTOSCALE, {
      onNone: () => settings.WORKER_CONCURRENCY,
      onSome: ({ max }) => max
    })
    const address = Result.getOrThrow(DatabaseAddress.parse(Redacted.value(DATABASE_URL))) // as the setting was read
    const count = yield* counting
    const password = Redacted.make(address.password ?? "")
    return yield* PgClient.make({
      ...connectionOf(address),
      // The client asks for it at each connection, which is the one place where they can be counted.
      ...(address.password === undefined ? {} : { password: Effect.as(count("database_connections_total", {}), password) }),
      maxConnections: Option.getOrElse(DATABASE_POOL, () => Settings.connectionsFor(children)),
      applicationName: "model-generator",
      // Named statements live in one server session, and PgBouncer hands the next transaction another one.
      prepare: false,
      connectTimeout: "5 seconds",
      idleTimeout: "20 seconds"
      // No startup parameters: PgBouncer refuses a connection that asks for a parameter it was not told to ignore.
    }).pipe(Effect.orDie) // opens nothing, so it has nothing to fail with
  })
)
