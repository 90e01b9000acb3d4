import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Redacted } from "effect"
import * as Settings from "../services/Settings.ts"
import { counting } from "./counting.ts"

/** The password of a URL; nothing when it is not whole: the client would find out at its first query, and call it an outage. */
const partsOf = (url: string) => {
  try {
    const { password, username } = new URL(url)
    decodeURIComponent(username)
    return { password: decodeURIComponent(password) }
  } catch {
    return undefined
  }
}

/**
 * PostgreSQL by `DATABASE_URL`, through PgBouncer in transaction mode or directly. No connection is made before the first query,
 * and lost ones are replaced by the next, so a worker starts and lives on while the database is away.
 */
export const layer = PgClient.layerFrom(
  Effect.gen(function* () {
    const { DATABASE_POOL, DATABASE_URL } = yield* Settings.of("DATABASE_URL", "DATABASE_POOL")
    const parts = partsOf(Redacted.value(DATABASE_URL))
    if (parts === undefined) {
      const hint = "is not a whole URL (in a password, write / # @ : % as %2F %23 %40 %3A %25)"
      return yield* new Settings.BadSettings({ problems: [`DATABASE_URL ${hint}`] })
    }
    const count = yield* counting
    const password = Redacted.make(parts.password)
    return yield* PgClient.make({
      url: DATABASE_URL,
      // The client asks for it at each connection, which is the one place where they can be counted.
      ...(parts.password === "" ? {} : { password: Effect.as(count("database_connections_total", {}), password) }),
      maxConnections: DATABASE_POOL,
      applicationName: "model-generator",
      // Named statements live in one server session, and PgBouncer hands the next transaction another one.
      prepare: false,
      connectTimeout: "5 seconds",
      keepAlive: "30 seconds",
      idleTimeout: "5 minutes"
      // No startup parameters: PgBouncer refuses a connection that asks for any it was not told to ignore.
    }).pipe(Effect.orDie) // opens nothing, so it has nothing to fail with
  })
)
