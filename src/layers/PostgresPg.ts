import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Redacted } from "effect"
import { connect } from "node:net"
import * as Settings from "../services/Settings.ts"
import { counting } from "./counting.ts"

/**
 * A connection that neither hears nor says anything for so long is closed (milliseconds): it has rested, or what it waits for
 * will never come, as on a path that is gone, where it would keep its place for a quarter of an hour.
 */
const SILENCE = 30_000

/** The password of a URL; nothing when it is not whole: the client would find out at its first query, and call it an outage. */
const partsOf = (url: string) => {
  try {
    const { hostname, password, port, username } = new URL(url)
    decodeURIComponent(username)
    return { password: decodeURIComponent(password), host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || "5432") }
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
      stream: () => {
        const socket = connect({
          host: parts.host,
          port: parts.port,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: 30_000
        })
        return socket.setTimeout(SILENCE, () => socket.destroy(new Error("no word from PostgreSQL for 30 s")))
      },
      connectTimeout: "5 seconds",
      idleTimeout: "20 seconds"
      // No startup parameters: PgBouncer refuses a connection that asks for any it was not told to ignore.
    }).pipe(Effect.orDie) // opens nothing, so it has nothing to fail with
  })
)
