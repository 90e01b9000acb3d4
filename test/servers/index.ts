/**
 * Servers for tests. `globalSetup.ts` starts one redis-server, one PostgreSQL and PgBouncer (transaction mode) in front of it,
 * and makes Python environments with Celery and Flower; all on ports and in folders of their own, all gone afterwards. What is
 * not installed is missing, and suites that need it are skipped with the reason.
 *
 *     describeWith(["redis", "celery53"], "stock Celery understands our results", ({ redis, celery53 }) => {       it.live("...",
 * () =>         Effect.gen(function*() {           const broker = yield* freshRedis(redis)        // an empty database number: {
 * url, host, port, db }           const database = yield* freshDatabase(postgres) // an empty database: { url } by PgBouncer, {
 * directUrl } around it           const flaky = yield* ownRedis                  // a server of its own: .stop() .start() .pid()
 * .url(db)           celery53.python                                // the interpreter's path         }))     })
 *
 * Use `it.live`: the clock of `it.effect` stands still, and servers take real time.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { Redis } from "ioredis"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { describe, inject, it } from "vitest"
import * as PostgresServer from "./Postgres.ts"
import * as RedisServer from "./Redis.ts"

export interface Missing {
  readonly missing: string
}

export interface Resources {
  readonly redis: RedisServer.RedisAddress
  readonly postgres: PostgresServer.PostgresAddress
  readonly celery53: { readonly python: string }
  readonly celery56: { readonly python: string }
  readonly celery57: { readonly python: string }
  /** The oldest supported Celery, and what builds and checks the package for callers. */
  readonly client: { readonly python: string }
  /** Flower beside the Celery of the App Server. */
  readonly flower: { readonly python: string }
  /** Judges signed pictures. */
  readonly c2pa: { readonly python: string }
  /** A browser, driven by playwright-core. */
  readonly chromium: { readonly program: string }
  /** Helm, and a Python with the schemas of Kubernetes and KEDA. */
  readonly kubernetes: { readonly helm: string; readonly python: string }
  /** Tries the expressions of Prometheus on recorded metrics. */
  readonly promtool: { readonly program: string }
  /** Reads JSON in a recipe of the runbook. */
  readonly jq: { readonly program: string }
  /** Speaks S3; `Seaweed.start` starts one. */
  readonly seaweed: { readonly program: string }
}
export type Resource = keyof Resources

/** Everything by name, or why it is missing. */
export type Servers = { readonly [R in Resource]: Resources[R] | Missing }

declare module "vitest" {
  interface ProvidedContext {
    readonly servers: Servers
  }
}

/** A `describe` that gets the servers it needs, or is skipped saying which is missing and why. */
export const describeWith = <const R extends Resource>(
  needs: ReadonlyArray<R>,
  name: string,
  suite: (servers: Pick<Resources, R>) => void
): void => {
  const servers = inject("servers")
  const reasons = needs.flatMap((need) => {
    const server = servers[need]
    return "missing" in server ? [`${need}: ${server.missing}`] : []
  })
  if (reasons.length > 0) {
    describe(name, () => it.skip(`needs ${reasons.join("; ")}`))
    return
  }
  // None of those needed is missing, which the type of an index access cannot show.
  describe(name, () => suite(servers as unknown as Pick<Resources, R>))
}

/** A Redis database that nobody has used in this run. Pub/sub channels are the server's, not the database's. */
export const freshRedis = Effect.fn("test.freshRedis")(function* (server: RedisServer.RedisAddress) {
  const counter = new Redis({ host: server.host, port: server.port, db: 0 })
  const db = yield* Effect.promise(() => counter.incr("databases handed out"))
  counter.disconnect()
  return { ...server, db, url: `redis://${server.host}:${server.port}/${db}` }
})

/** A redis-server of the test's own, with what it wants of redis.conf. Its databases are all empty; `url(3)` names one. */
export const ownRedisWith = (options: RedisServer.Options) =>
  Effect.acquireRelease(
    Effect.promise(() => RedisServer.start(options)),
    (server) => Effect.promise(() => server.remove())
  ).pipe(Effect.map((server) => Object.assign(server, { url: (db = 0) => `redis://${server.host}:${server.port}/${db}` })))

/** The same as Redis comes. */
export const ownRedis = ownRedisWith({})

/** What keeps a connection alive or sets it up. */
const ASIDE = /^(ping|hello|auth|select|client|info|echo)$/i

/** Gives the commands that clients have sent to this database since it was last asked, those within scripts not counted. */
export const commandsAt = Effect.fn("test.commandsAt")(function* (url: string) {
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (client) => Effect.sync(() => client.disconnect())
  )
  const monitor = yield* Effect.acquireRelease(
    Effect.promise(() => client.monitor()),
    (monitor) => Effect.sync(() => monitor.disconnect())
  )
  const marker = randomUUID()
  let heard: Array<string> = []
  let mark: (() => void) | undefined
  monitor.on("monitor", (_: string, [name = "", argument]: ReadonlyArray<string>, source: string, db: string) => {
    if (name === "echo" && argument === marker) mark?.()
    if (source !== "lua" && Number(db) === client.options.db && !ASIDE.test(name)) heard.push(name)
  })
  return () =>
    Effect.promise(async () => {
      // The monitor tells in order: what was sent before this has been heard when this is.
      const all = new Promise<void>((resolve) => (mark = resolve))
      await client.echo(marker)
      await all
      const commands = heard
      heard = []
      return commands
    })
})

const urls = (server: PostgresServer.PostgresAddress, database: string) => {
  const at = (port: number) => `postgresql://${server.user}:${server.password}@${server.host}:${port}/${database}`
  return { url: at(server.pooledPort), directUrl: at(server.port) }
}

const asAdministrator = <A, E>(server: PostgresServer.PostgresAddress, use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
  Effect.flatMap(SqlClient.SqlClient, use).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(urls(server, "postgres").directUrl) })),
    Effect.orDie
  )

/** An empty database for as long as the scope lives: `url` goes through PgBouncer, as in production; `directUrl` around it. */
export const freshDatabase = (
  server: PostgresServer.PostgresAddress
): Effect.Effect<{ readonly name: string; readonly url: string; readonly directUrl: string }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const name = `test_${yield* Effect.sync(() => randomUUID().replaceAll("-", ""))}`
      yield* asAdministrator(server, (sql) => sql`CREATE DATABASE ${sql(name)}`)
      return { name, ...urls(server, name) }
    }),
    // A test may have stopped the server; then the database goes with it.
    ({ name }) => Effect.exit(asAdministrator(server, (sql) => sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`))
  )

/**
 * A PostgreSQL and a PgBouncer of the test's own, for outages: `.pgbouncer.stop()`, `.postgres.stop("INT")`. It can be given
 * to `freshDatabase`.
 */
export const ownPostgresWith = (more: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.promise(() => PostgresServer.start(join(import.meta.dirname, "..", "..", ".venv"), more)),
    (server) => Effect.promise(() => server.remove())
  )
export const ownPostgres = ownPostgresWith({})
