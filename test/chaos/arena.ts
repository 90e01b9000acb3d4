/** Where the storm rages: servers of our own that may be stopped and started, and the program as it is built for production. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted, Schedule, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { Redis } from "ioredis"
import { mkdtempSync, rmSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { rolldown } from "rolldown"
import config from "../../rolldown.config.ts"
import * as kombu from "../../src/wire/kombu.ts"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import type { Fault } from "../../src/fal-simulator/Fault.ts"
import type { LedgerRow } from "../../src/fal-simulator/World.ts"
import { askPython } from "../interop/stage.ts"
import { connected } from "../layers/databases.ts"
import { freshDatabase, ownPostgres } from "../servers/index.ts"
import { freePort, start as startProcess, temporaryFolder } from "../servers/Process.ts"
import * as RedisServer from "../servers/Redis.ts"
import * as Seaweed from "../servers/Seaweed.ts"
import * as Shelf from "./Shelf.ts"
import type { Book, Answer, Row, Sent } from "./judge.ts"

const five = { gender: "female", age_range: "25-35", body_type: "average", pose: "walking", style: "casual" }
export const [BROKER, BACKEND] = [4, 5]

/**
 * The bundle in a folder of its own, so that the one in `dist/` may be rebuilt meanwhile; within the checkout, where the
 * simulator finds sharp.
 */
const bundle = async () => {
  const folder = mkdtempSync(join(import.meta.dirname, "../../node_modules/.model-generator-"))
  for (const { output, ...input } of config) {
    const build = await rolldown({ ...input, logLevel: "silent" })
    await build.write({ ...output, file: join(folder, basename(output.file)) })
    await build.close()
  }
  return join(folder, "model-generator.mjs")
}

/** The Redis that all use: where it is now, and how a worker that has a wire to it is told of it. */
export interface Home {
  readonly redis: RedisServer.RedisServer
  readonly port: () => number
  readonly url: (wire: number, db: number) => string
  /** A connection that finds it wherever it goes. */
  readonly client: (db: number) => Redis
}

const redisUrl = (port: number, db: number) => `redis://127.0.0.1:${port}/${db}`

// "always": with "everysec" Redis may answer while a write still waits for an fsync, and a kill -9 of Redis then loses it.
export const durableRedis = Effect.acquireRelease(
  Effect.promise(() => RedisServer.start({ appendfsync: "always" })),
  (server) => Effect.promise(() => server.remove())
)

/** One Redis that stays what and where it is. */
export const alone: Effect.Effect<Home, never, Scope.Scope> = Effect.map(durableRedis, (redis) => ({
  redis,
  port: () => redis.port,
  url: redisUrl,
  client: (db) => new Redis({ host: redis.host, port: redis.port, db })
}))

/** Where the workers keep pictures: nowhere, in a folder, or in a bucket of a SeaweedFS whose program is named. */
export type Store = "none" | "folder" | { readonly program: string }
const shelfOf = (store: Store, folder: string) => {
  if (store === "none") return Effect.undefined
  if (store === "folder") return Effect.sync(() => Shelf.folder(join(folder, "media")))
  const seaweed = Effect.acquireRelease(
    Effect.promise(() => Seaweed.start(store.program)),
    (server) => Effect.promise(() => server.remove())
  )
  return Effect.map(seaweed, Shelf.bucket)
}

export const makeArena = Effect.fnUntraced(function* (
  python: string,
  home: Home,
  store: Store = "none",
  simulator: ReadonlyArray<string> = []
) {
  const folder = temporaryFolder("chaos")
  const shelf = yield* shelfOf(store, folder)
  const program = yield* Effect.acquireRelease(Effect.promise(bundle), (file) =>
    Effect.sync(() => rmSync(dirname(file), { recursive: true, force: true }))
  )
  const postgres = yield* ownPostgres
  const database = yield* freshDatabase(postgres)
  yield* Effect.provide(Migrations.migrate, connected(database.url))

  const falPort = yield* Effect.promise(freePort)
  const options = ["--port", String(falPort), "--picture-seconds", "0.3", "--variation", "0.6", ...simulator]
  yield* Effect.acquireRelease(
    Effect.promise(() =>
      startProcess({
        // From the checkout, where it finds what draws pictures.
        command: [process.execPath, join(import.meta.dirname, "..", "..", "src", "main.ts"), "fal-simulator", ...options],
        folder: temporaryFolder("fal"),
        ready: /fal simulator on/,
        stopSignal: "KILL"
      })
    ),
    (server) => Effect.promise(() => server.remove())
  )
  const control = (path: string, body?: unknown) =>
    Effect.promise(async () => {
      const asked = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }
      const reply = await fetch(`http://127.0.0.1:${falPort}/_sim/${path}`, asked)
      if (!reply.ok) throw new Error(await reply.text())
      return await reply.json()
    })

  const clients = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const at = (db: number) => home.client(db).on("error", () => {})
      return { broker: at(BROKER), backend: at(BACKEND) }
    }),
    (both) => Effect.sync(() => Object.values(both).forEach((client) => client.disconnect()))
  )
  const app = () => ({
    broker: { url: redisUrl(home.port(), BROKER) },
    backend: { url: redisUrl(home.port(), BACKEND) }
  })

  let workers = 0
  /**
   * Every other worker knows the results' server by another name, and so takes it for another: it stores and acknowledges in two
   * steps.
   */
  const named = (url: string) => (workers++ % 2 === 0 ? url : url.replace("127.0.0.1", "localhost"))

  return {
    /** What everybody has to say is written there, and stays. */
    folder,
    /** The media store of all workers; undefined where they have none. */
    shelf,
    databaseUrl: database.url,
    redis: home.redis,
    postgres,
    worker: {
      command: [process.execPath, "--enable-source-maps", program, "worker"],
      targets: { redis: home.redis.port, postgres: postgres.pooledPort, fal: falPort },
      env: (ports: { readonly redis: number; readonly postgres: number; readonly fal: number }) => ({
        CELERY_BROKER_URL: home.url(ports.redis, BROKER),
        CELERY_RESULT_BACKEND: named(home.url(ports.redis, BACKEND)),
        DATABASE_URL: database.url.replace(`:${postgres.pooledPort}/`, `:${ports.postgres}/`),
        FAL_KEY: "test:key",
        FAL_BASE_URL: `http://127.0.0.1:${ports.fal}`,
        ...shelf?.env
      })
    },
    /** Moves fal's clock ahead. */
    jump: (seconds: number) => control("jump", { seconds }),
    faults: (...faults: ReadonlyArray<Fault>) => control("faults", faults),
    ledger: Effect.map(control("ledger"), (body) => (body as { ledger: ReadonlyArray<LedgerRow> }).ledger), // our simulator's own
    rows: Effect.flatMap(
      SqlClient.SqlClient,
      (sql) =>
        sql<Row>`SELECT id::text AS id, template_id, fal_request_id, image_url, thumbnail_url, metadata->>'source_url' AS source_url FROM model_library`
    ).pipe(
      Effect.provide(PgClient.layer({ url: Redacted.make(database.directUrl) })),
      Effect.retry(Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(20)])),
      Effect.orDie
    ),
    /** What our ledger says was paid. */
    books: Effect.flatMap(
      SqlClient.SqlClient,
      (sql) => sql<Book>`SELECT task_id, fal_request_id, outcome, units, cost_nano_usd::float8 AS cost FROM model_ledger`
    ).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(database.directUrl) })), Effect.orDie),
    /** As the App Server sends them. */
    send: (tasks: ReadonlyArray<Sent>) =>
      askPython(
        python,
        app(),
        tasks.map(({ id, seed, template }) => ({
          task: "generate_model",
          kwargs: { template_id: template, ...five, seed },
          options: { task_id: id }
        })),
        { wait: false }
      ),
    /** As the App Server reads them. */
    read: (tasks: ReadonlyArray<Sent>) =>
      Effect.map(
        askPython(
          python,
          app(),
          tasks.map(({ id }) => ({ read: id })),
          { timeout: 1 }
        ),
        (answers) => new Map(tasks.map(({ id }, at) => [id, answers[at] as unknown as Answer])) // what client.py prints
      ),
    waiting: Effect.promise(() => clients.broker.llen("generator_queue")),
    /** Rows that the ledger lacks. */
    owed: Effect.promise(() => clients.broker.zcard(kombu.owed)),
    /** Messages that have not come to their end. */
    open: Effect.promise(async () => (await clients.broker.llen("generator_queue")) + (await clients.broker.hlen("unacked"))),
    /** The broker's keys by family: how many, and how many of them do not expire. */
    keys: Effect.promise(async () => {
      const families = new Map<string, { readonly family: string; count: number; forever: number }>()
      for (const key of await clients.broker.keys("*")) {
        const family = key.replace(/(journal|once|lives|budget):.*/s, "$1:*").replace(/^_kombu\.binding\..*/s, "_kombu.binding.*")
        const entry = families.get(family) ?? { family, count: 0, forever: 0 }
        families.set(family, entry)
        entry.count++
        // An entry of the journal has no time to live of its own: a list says when it ends.
        const task = /^model-generator\.journal:(.*)$/s.exec(key)?.[1]
        const ends = task !== undefined && (await clients.broker.zscore(kombu.journalKept, task)) !== null
        if (!ends && (await clients.broker.ttl(key)) === -1) entry.forever++
      }
      return [...families.values()]
    })
  }
})
export type Arena = Effect.Success<ReturnType<typeof makeArena>>
