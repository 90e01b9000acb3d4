import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Redacted } from "effect"
import { LibraryError } from "../../services/ModelLibrary.ts"
import { folderLock } from "./folderLock.ts"
import { PgliteDuplex } from "./PgliteDuplex.ts"

const open = (dataDir: string | undefined) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        // Loaded on demand: production has no use for 27 MB of it.
        const { PGlite } = await import("@electric-sql/pglite")
        return PGlite.create({
          ...(dataDir === undefined ? {} : { dataDir }),
          // PostgreSQL's defaults cost twice the memory.
          postgresqlconf: ["shared_buffers=8MB", "wal_buffers=64kB", "max_connections=5"]
        })
      },
      catch: (cause) => new LibraryError({ operation: "open", detail: `embedded PostgreSQL: ${String(cause)}`, retryable: false })
    }),
    (db) => Effect.promise(() => db.close())
  )

/**
 * PostgreSQL inside this process, in memory or in the folder `dataDir`, behind the same client as the real one. For trial and
 * development: it writes without fsync, and a query blocks the process until it ends.
 */
export const layer = (dataDir?: string) =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (dataDir !== undefined) yield* folderLock(dataDir)
      const db = yield* open(dataDir)
      return PgClient.layerFrom(
        PgClient.make({
          stream: () => new PgliteDuplex(db),
          username: "postgres",
          database: "postgres",
          password: Redacted.make("postgres"),
          prepare: false,
          maxConnections: 1, // it has one session
          idleTimeout: "1 day"
        }).pipe(Effect.orDie) // opens nothing yet, so it has nothing to fail with
      )
    })
  )
