/** The whole stage for a real worker: Redis, PostgreSQL through PgBouncer, fal's simulator over HTTP, and the process itself. */
import { PgClient } from "@effect/sql-pg"
import { Deferred, Effect, Redacted, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Redis } from "ioredis"
import { spawn } from "node:child_process"
import { join } from "node:path"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import { simulate, type Options as SimulatorOptions } from "../../src/fal-simulator/simulate.ts"
import { connected } from "../layers/databases.ts"
import { bundle } from "../servers/bundle.ts"
import { freshDatabase, freshRedis, type Resources } from "../servers/index.ts"
import { freePort } from "../servers/Process.ts"
import { eventually } from "../support.ts"

const root = join(import.meta.dirname, "..", "..")

/** A program of ours as a process of its own; killed with the scope if it still runs. */
export const startProgram = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  nodeOptions: ReadonlyArray<string> = [],
  /** A command that runs the command which follows it. */
  within: ReadonlyArray<string> = []
) {
  const file = yield* Effect.promise(bundle)
  const exited = yield* Deferred.make<{ readonly code: number | null; readonly signal: string | null }>()
  const output = { text: "" }
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const [command = process.execPath, ...words] = [...within, process.execPath, ...nodeOptions, file, ...args]
      const child = spawn(command, words, {
        cwd: root,
        env: { PATH: process.env["PATH"], ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (text: string) => (output.text += text))
      child.once("close", (code, signal) => Deferred.doneUnsafe(exited, Effect.succeed({ code, signal })))
      return child
    }),
    (child) =>
      Effect.suspend(() => {
        child.kill("SIGKILL")
        return Deferred.await(exited)
      })
  )
  return {
    pid: child.pid!,
    signal: (name: NodeJS.Signals) => Effect.sync(() => child.kill(name)),
    exited: Deferred.await(exited),
    output: Effect.sync(() => output.text)
  }
})

export const makeStage = Effect.fnUntraced(function* (
  { postgres, redis }: Pick<Resources, "redis" | "postgres">,
  simulator: SimulatorOptions = {}
) {
  const broker = yield* freshRedis(redis)
  const backend = yield* freshRedis(redis)
  const database = yield* freshDatabase(postgres)
  yield* Effect.provide(Migrations.migrate, connected(database.url))
  const fal = yield* simulate({ pictureSeconds: 0.3, ...simulator })
  const raw = yield* Effect.acquireRelease(
    Effect.sync(() => ({
      broker: new Redis(broker.url).on("error", () => {}),
      backend: new Redis(backend.url).on("error", () => {})
    })),
    (redis) => Effect.sync(() => Object.values(redis).forEach((client) => client.disconnect()))
  )
  const env = {
    CELERY_BROKER_URL: broker.url,
    CELERY_RESULT_BACKEND: backend.url,
    DATABASE_URL: database.url,
    FAL_KEY: "test:key",
    FAL_BASE_URL: fal.url,
    LOG_FORMAT: "json",
    WORKER_NAME: "celery@stage"
  }
  const metricsOf = (port: number) =>
    Effect.tryPromise(async () => {
      const reply = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(2000) })
      return { status: reply.status, body: (await reply.json()) as Record<string, unknown> } // our own page
    })

  /** A worker that is ready: it has its lease and answers on its port. */
  const start = Effect.fnUntraced(function* (
    over: Readonly<Record<string, string>> = {},
    nodeOptions: ReadonlyArray<string> = [],
    within: ReadonlyArray<string> = []
  ) {
    const port = yield* Effect.promise(freePort)
    const program = yield* startProgram(["worker"], { ...env, METRICS_PORT: String(port), ...over }, nodeOptions, within)
    const health = metricsOf(port)
    yield* eventually(
      "the worker is up",
      Effect.gen(function* () {
        const reply = yield* Effect.option(health)
        return { reply, log: yield* program.output }
      }),
      ({ reply }) => reply._tag === "Some"
    )
    return { ...program, port, health }
  })

  const models = Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql<Record<string, unknown>>`SELECT * FROM model_library ORDER BY template_id, version`
  ).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(database.directUrl) })), Effect.orDie)
  const result = (id: string) =>
    Effect.map(
      Effect.promise(() => raw.backend.get(`celery-task-meta-${id}`)),
      (text) => (text === null ? undefined : (JSON.parse(text) as { status: string; result: Record<string, unknown> })) // our own document
    )
  const final = (id: string) =>
    eventually(
      `${id} has ended`,
      result(id),
      (document) => document?.status === "SUCCESS" || document?.status === "FAILURE",
      20 // seconds: longer than a picture that is waited for
    )
  const push = (message: { readonly queue: string; readonly raw: string }) =>
    Effect.promise(() => raw.broker.lpush(message.queue, message.raw))
  /** Nothing waits, nothing is held, nothing is dead. */
  const left = Effect.promise(async () => ({
    queued: await raw.broker.llen("generator_queue"),
    unacked: await raw.broker.hlen("unacked"),
    indexed: await raw.broker.zcard("unacked_index"),
    dead: await raw.broker.llen("generator_queue.dead")
  }))
  return { broker, backend, database, fal, raw, env, start, models, result, final, push, left }
})

export const nothing = { queued: 0, unacked: 0, indexed: 0, dead: 0 }

const Answers = Schema.fromJsonString(Schema.Array(Schema.Record(Schema.String, Schema.Any)))
/** What a Python client makes of the calls. */
export const askPython = Effect.fnUntraced(function* (
  python: string,
  stage: { readonly broker: { readonly url: string }; readonly backend: { readonly url: string } },
  calls: ReadonlyArray<object>,
  more: object = {}
) {
  const text = yield* Effect.callback<string>((resume) => {
    const child = spawn(python, [join(import.meta.dirname, "client.py")], { stdio: ["pipe", "pipe", "pipe"] })
    let out = ""
    let problems = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out += chunk))
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (problems += chunk))
    child.once("close", (code) =>
      resume(code === 0 ? Effect.succeed(out) : Effect.die(new Error(`client.py ended with ${code}: ${problems}`)))
    )
    child.stdin.end(JSON.stringify({ broker: stage.broker.url, backend: stage.backend.url, calls, ...more }))
    return Effect.sync(() => child.kill("SIGKILL"))
  })
  return yield* Effect.orDie(Schema.decodeEffect(Answers)(text))
})
