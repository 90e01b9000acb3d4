/**
 * `npm run bench`: our worker against stock Celery 5.3.6, in one run on one machine, through the same Python client.
 * Linux only (memory is read from /proc). Needs redis-server, PostgreSQL, PgBouncer and python3-venv, like the tests.
 */
import { type ChildProcess, execFile, execFileSync } from "node:child_process"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { Redis } from "ioredis"
import * as PostgresServer from "../../test/servers/Postgres.ts"
import { freePort, pathOf } from "../../test/servers/Process.ts"
import * as Python from "../../test/servers/Python.ts"
import * as RedisServer from "../../test/servers/Redis.ts"
import { startSimulator } from "./simulator.ts"
import { childrenOf, type Env, memory, ours, stock, stop, type Worker } from "./workers.ts"

const run = promisify(execFile)
const root = join(import.meta.dirname, "..", "..")
const quick = process.argv.includes("--quick")
const [ROUND_TRIPS, BACKLOG, PICTURES, PICTURE_SECONDS] = quick ? [100, 300, 2, 1] : [1000, 2000, 10, 2]

const bench = await Python.ensure("bench", join(root, ".venv"), [...Python.environments.celery53, "fal-client==1.0.3"])
if ("missing" in bench) throw new Error(bench.missing)
execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: ["ignore", "ignore", "inherit"] })

const redis = await RedisServer.start()
const postgres = await PostgresServer.start(join(root, ".venv"))
const simulator = await startSimulator(PICTURE_SECONDS)
const env: Env = {
  CELERY_BROKER_URL: `redis://${redis.host}:${redis.port}/4`,
  CELERY_RESULT_BACKEND: `redis://${redis.host}:${redis.port}/5`,
  DATABASE_URL: `postgresql://${postgres.user}:${postgres.password}@${postgres.host}:${postgres.pooledPort}/bench`,
  FAL_KEY: "bench:key",
  FAL_BASE_URL: simulator.url,
  METRICS_PORT: String(await freePort())
}
const direct = `postgresql://${postgres.user}:${postgres.password}@${postgres.host}:${postgres.port}/postgres`
execFileSync(pathOf("psql"), [direct, "-qc", "CREATE DATABASE bench"], { stdio: ["ignore", "ignore", "inherit"] })
execFileSync(process.execPath, [join(root, "dist", "model-generator.mjs"), "migrate"], {
  env: { ...process.env, ...env },
  stdio: "ignore"
})

const admin = new Redis({ host: redis.host, port: redis.port })
const clear = () => admin.flushall()
const client = async (what: string, count: number): Promise<unknown> => {
  const { stdout } = await run(bench.python, [join(import.meta.dirname, "client.py"), what, String(count)], {
    env: { ...process.env, ...env }
  })
  return JSON.parse(stdout)
}
const times = async (what: string, count: number) =>
  ((await client(what, count)) as ReadonlyArray<number>).toSorted((a, b) => a - b) // client.py prints milliseconds
const at = (sorted: ReadonlyArray<number>, share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!

/** From the start of the process to the result of a task that waited for it, in seconds. */
const startToResult = async (worker: Worker) => {
  await clear()
  const waiting = times("roundtrip", 0).catch(() => []) // its first call waits for the worker
  const queued = async () => (await admin.select(4), admin.llen("generator_queue"))
  while ((await queued()) === 0) await sleep(5)
  await admin.select(5)
  const before = performance.now()
  const child = worker.start(env)
  while ((await admin.keys("celery-task-meta-*")).length === 0) {
    if (child.exitCode !== null) throw new Error(`${worker.name} ended with ${child.exitCode}`)
    await sleep(2)
  }
  const seconds = (performance.now() - before) / 1000
  await waiting
  await stop(child)
  return seconds
}

/** Tasks per second: the worker is frozen while the backlog is made, so that it has all of it before it takes the first. */
const rateOf = async (child: ChildProcess, count: number) => {
  await clear()
  const all = [child.pid!, ...childrenOf(child.pid!)]
  for (const pid of all) process.kill(pid, "SIGSTOP")
  await client("enqueue", count)
  await admin.select(5)
  const before = performance.now()
  for (const pid of all) process.kill(pid, "SIGCONT")
  while ((await admin.dbsize()) < count) await sleep(5)
  return (count / (performance.now() - before)) * 1000
}

const measure = async (worker: Worker) => {
  const starts = [await startToResult(worker), await startToResult(worker), await startToResult(worker)].toSorted((a, b) => a - b)
  await clear()
  const child = worker.start(env)
  await times("roundtrip", 5)
  await sleep(3000)
  const idle = memory(child.pid!)
  const trips = await times("roundtrip", ROUND_TRIPS)
  const rate = await rateOf(child, BACKLOG)
  await times("pictures", 2) // both learn and connect first
  const callsBefore = await simulator.calls()
  const pictures = await times("pictures", PICTURES)
  const calls = ((await simulator.calls()) - callsBefore) / PICTURES
  await stop(child)
  return {
    "round trip p50, ms": at(trips, 0.5),
    "round trip p99, ms": at(trips, 0.99),
    [`tasks/s from a backlog of ${BACKLOG}`]: rate,
    "idle memory PSS, MB": idle.pss,
    "idle memory RSS, MB": idle.rss,
    "start to first result, s": starts[1]!,
    "HTTP calls per picture": calls,
    "ms above inference p50": at(pictures, 0.5) - PICTURE_SECONDS * 1000
  }
}

/** What stock Celery makes of the same backlog when it acknowledges as late as ours. */
const lateRate = async () => {
  await clear()
  const child = stock(bench.python, "late", { BENCH_ACKS_LATE: "1" }).start(env)
  await times("roundtrip", 1)
  const rate = await rateOf(child, BACKLOG)
  await stop(child)
  return rate
}

try {
  const mine = await measure(ours)
  const theirs = await measure(stock(bench.python, "Celery 5.3.6", {}))
  const late = await lateRate()
  const rows = Object.entries(mine).map(([what, value]) => {
    const other = (theirs as Record<string, number>)[what]! // both measured the same things
    return [what, value.toFixed(2), other.toFixed(2), `${(value / other).toFixed(2)}x`]
  })
  const backlog = Object.keys(mine).findIndex((what) => what.startsWith("tasks/s"))
  rows.splice(backlog + 1, 0, ["  the same, Celery with acks_late", "", late.toFixed(2), ""])
  const table = [["", "model-generator", "Celery 5.3.6 -c 1", "ratio"], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]!.length)))
  process.stdout.write(
    `${table.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  ")).join("\n")}\n`
  )
} finally {
  admin.disconnect()
  await simulator.stop()
  await redis.remove()
  await postgres.remove()
}
