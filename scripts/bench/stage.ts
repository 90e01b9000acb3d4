/** The servers that all contenders use, and a fast way to make a backlog. */
import { execFile, execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { copyFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { Redis } from "ioredis"
import * as PostgresServer from "../../test/servers/Postgres.ts"
import { pathOf, temporaryFolder } from "../../test/servers/Process.ts"
import * as Python from "../../test/servers/Python.ts"
import * as RedisServer from "../../test/servers/Redis.ts"
import type { Env } from "./processes.ts"
import { startSimulator } from "./simulator.ts"

const run = promisify(execFile)
const here = import.meta.dirname
export const root = join(here, "..", "..")

export const [BROKER_DB, RESULTS_DB] = [4, 5]
export const QUEUE = "generator_queue"
/** The lists of kombu's four priorities. */
const LISTS = ["", "\x06\x163", "\x06\x166", "\x06\x169"].map((priority) => `${QUEUE}${priority}`)
const PREPARED = "bench-prepared"

export type Stage = Awaited<ReturnType<typeof setUp>>

export const setUp = async () => {
  const environment = await Python.ensure("bench", join(root, ".venv"), [...Python.environments.celery53, "fal-client==1.0.3"])
  if ("missing" in environment) throw new Error(environment.missing)
  const { python } = environment

  const folder = temporaryFolder("bench")
  process.on("exit", () => rmSync(folder, { recursive: true, force: true })) // also when the run is broken off
  // Workers run on a copy of Node. PSS counts a page that they shared with the bench's own process only by half.
  const node = join(folder, "node")
  copyFileSync(process.execPath, node)

  const server = await RedisServer.start({ more: { appendonly: "no" } })
  const postgres = await PostgresServer.start(join(root, ".venv"))
  const simulator = await startSimulator()
  const databaseUrl = (name: string) =>
    `postgresql://${postgres.user}:${postgres.password}@${postgres.host}:${postgres.pooledPort}/${name}`
  const env: Env = {
    CELERY_BROKER_URL: `redis://${server.host}:${server.port}/${BROKER_DB}`,
    CELERY_RESULT_BACKEND: `redis://${server.host}:${server.port}/${RESULTS_DB}`,
    FAL_KEY: "bench:key",
    FAL_BASE_URL: simulator.url
  }
  const [broker, results] = [BROKER_DB, RESULTS_DB].map((db) => new Redis({ host: server.host, port: server.port, db })) as [
    Redis,
    Redis
  ]

  const client = async (command: ReadonlyArray<string>, count: number): Promise<ReadonlyArray<number>> => {
    const [program = "", ...args] = command
    const { stdout } = await run(program, [...args, String(count)], { env: { ...process.env, ...env } })
    return stdout === "" ? [] : JSON.parse(stdout)
  }
  const pythonClient = (what: string, count: number) => client([python, join(here, "client.py"), what], count)

  /** One message as Celery itself writes it, in the parts between its ids. The last on its list is the oldest. */
  const sample = async (what: "enqueue" | "enqueue-for-tomorrow") => {
    await broker.flushdb()
    await pythonClient(what, 1)
    const raw = (await broker.rpop(QUEUE)) ?? ""
    const { headers, properties } = JSON.parse(raw)
    return raw
      .split(new RegExp(`(${headers.id}|${properties.delivery_tag})`))
      .map((part) =>
        part === headers.id ? ("id" as const) : part === properties.delivery_tag ? ("tag" as const) : { text: part }
      )
  }
  const samples = { enqueue: await sample("enqueue"), "enqueue-for-tomorrow": await sample("enqueue-for-tomorrow") }

  /** Messages that differ from Celery's own in nothing but their ids. */
  const messages = (kind: keyof typeof samples, count: number) =>
    Array.from({ length: count }, () => {
      const [id, tag] = [randomUUID(), randomUUID()]
      return samples[kind].map((part) => (part === "id" ? id : part === "tag" ? tag : part.text)).join("")
    })

  return {
    node,
    python,
    env,
    databaseUrl,
    simulator,
    broker,
    results,
    client,
    pythonClient,
    /** Deletes everything. Never while a worker runs: its lease would be gone too. */
    clear: () => broker.flushall(),
    /** Makes a backlog under another key; the returned function renames it to the queue in one step. */
    prepare: async (kind: keyof typeof samples, count: number) => {
      for (let left = count; left > 0; left -= 1000) await broker.lpush(PREPARED, ...messages(kind, Math.min(left, 1000)))
      return () => broker.rename(PREPARED, QUEUE)
    },
    /** Messages that nobody has claimed. */
    waiting: async () => {
      const lengths = await Promise.all(LISTS.map((list) => broker.llen(list)))
      return lengths.reduce((sum, length) => sum + length, 0)
    },
    /** Connections to the broker, without the bench's own two. */
    connections: async () => Number(/^connected_clients:(\d+)/m.exec(await broker.info("clients"))?.[1]) - 2,
    createDatabase: (name: string) => {
      const direct = `postgresql://${postgres.user}:${postgres.password}@${postgres.host}:${postgres.port}`
      execFileSync(pathOf("psql"), [`${direct}/postgres`, "-qc", `CREATE DATABASE ${name}`], {
        stdio: ["ignore", "ignore", "inherit"]
      })
      return (sql: string) =>
        execFileSync(pathOf("psql"), [`${direct}/${name}`, "-qc", sql], { stdio: ["ignore", "ignore", "inherit"] })
    },
    versions: async () => ({
      Redis: /redis_version:(\S+)/.exec(await broker.info("server"))?.[1] ?? "?",
      Node: process.versions.node,
      Python: (await run(python, ["-c", "import platform; print(platform.python_version())"])).stdout.trim(),
      PostgreSQL:
        (await run(pathOf("postgres"), ["--version"])).stdout
          .replace(/[^\d.]+/g, " ")
          .trim()
          .split(" ")[0] ?? "?"
    }),
    tearDown: async () => {
      broker.disconnect()
      results.disconnect()
      await simulator.stop()
      await server.remove()
      await postgres.remove()
    }
  }
}

/** Since Redis started: commands, including those of scripts, and reads from its clients' sockets. */
export const requests = async (redis: Redis) => {
  const info = await redis.info("everything")
  const commands = [...info.matchAll(/^cmdstat_[^:]+:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0)
  return { commands, reads: Number(/^total_reads_processed:(\d+)/m.exec(info)?.[1]) }
}

/** Megabytes. */
export const memoryOf = async (redis: Redis) => Number(/^used_memory:(\d+)/m.exec(await redis.info("memory"))?.[1]) / 2 ** 20
