/** Who is measured: our worker, stock Celery that acknowledges early and late, BullMQ, and the floor under all of them. */
import { type ChildProcess, execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { freePort } from "../../test/servers/Process.ts"
import * as Python from "../../test/servers/Python.ts"
import { type Env, start } from "./processes.ts"
import type { Stage } from "./stage.ts"

const here = import.meta.dirname

export interface Options {
  /** Tasks at once. */
  readonly slots?: number
  /** The worker's name. Several workers at once need one each. */
  readonly name?: string
  /** Rows that the library has before it starts. */
  readonly library?: number
  /** Where it shows its metrics. */
  readonly metricsPort?: number
}

/** How work reaches a worker, and how it is known that it is done. */
export interface Work {
  /** Makes a backlog of `count` health checks; the returned function puts all of it on the queue. */
  readonly prepare: (count: number) => Promise<() => Promise<unknown>>
  /** How many results are stored. */
  readonly done: () => Promise<number>
  /** The round trip of each of `count` health checks, one after the other (milliseconds). */
  readonly roundTrips: (count: number) => Promise<ReadonlyArray<number>>
}

export type Kind = "ours" | "celery" | "late" | "bullmq" | "floor"
export interface Contender {
  /** Tells two contenders of one kind apart. */
  readonly id: string
  readonly kind: Kind
  /** The head of its column. */
  readonly name: string
  readonly start: (options?: Options) => Promise<ChildProcess>
  readonly work: Work
}

const celeryWork = (stage: Stage): Work => ({
  prepare: (count) => stage.prepare("enqueue", count),
  done: () => stage.results.dbsize(),
  roundTrips: (count) => stage.pythonClient("roundtrip", count)
})

/** Rows for a library that has been filled for years. */
const fill = (rows: number) => `
  INSERT INTO model_library (template_id, version, image_url, thumbnail_url, gender, age_range, body_type, pose, style, prompt,
    metadata, fal_request_id, processing_time_ms)
  SELECT 'template.' || n / 4, n % 4 + 1, 'https://fal.media/files/' || md5(n::text) || '.jpeg',
    'https://fal.media/files/' || md5(n::text) || '.jpeg', 'female', '20-30', 'average', 'walking', 'casual',
    repeat('a fashion model, ', 8), '{"seed": 1}', gen_random_uuid()::text, 2000
  FROM generate_series(0, ${rows - 1}) AS n`

/** A bundle of ours, with databases of its own. */
export const ours = (stage: Stage, bundle: string, id: string, name: string): Contender => {
  const env: Env = {
    ...stage.env,
    LOG_LEVEL: "error",
    // As in the image.
    MALLOC_ARENA_MAX: "1",
    NODE_COMPILE_CACHE: join(dirname(stage.node), `cache-${id}`)
  }
  execFileSync(stage.node, [bundle, "--version"], { env: { ...process.env, ...env }, stdio: "ignore" }) // fills the cache
  const databases = new Map<number, string>()
  const databaseOf = (rows: number) => {
    const known = databases.get(rows)
    if (known !== undefined) return known
    const database = `bench_${id}_${rows}`
    const sql = stage.createDatabase(database)
    const url = stage.databaseUrl(database)
    const more = { ...process.env, ...env, DATABASE_URL: url }
    execFileSync(process.execPath, [bundle, "migrate"], { cwd: here, env: more, stdio: "ignore" })
    if (rows > 0) sql(fill(rows))
    sql("VACUUM ANALYZE model_library")
    databases.set(rows, url)
    return url
  }
  databaseOf(0)
  return {
    id,
    kind: "ours",
    name,
    work: celeryWork(stage),
    start: async ({ library = 0, metricsPort, name = "bench", slots = 1 } = {}) =>
      start([stage.node, bundle, "worker"], here, {
        ...env,
        DATABASE_URL: databaseOf(library),
        METRICS_PORT: String(metricsPort ?? (await freePort())),
        WORKER_NAME: `celery@${name}`,
        WORKER_CONCURRENCY: String(slots)
      })
  }
}

const CELERY = Python.environments.celery53[0].replace("celery==", "Celery ")

/** Without gossip and mingle: a single worker has nobody to talk to. Ours keeps both. */
export const celery = (stage: Stage, acknowledges: "early" | "late"): Contender => ({
  id: acknowledges === "early" ? "celery" : "late",
  kind: acknowledges === "early" ? "celery" : "late",
  name: acknowledges === "early" ? CELERY : "acks_late",
  work: celeryWork(stage),
  start: ({ name = "bench", slots = 1 } = {}) => {
    const options = ["-c", String(slots), "-n", `${name}@%h`, "-Q", "generator_queue", "-l", "critical"]
    return start(
      [stage.python, "-m", "celery", "-A", "celery_app", "worker", ...options, "--without-gossip", "--without-mingle"],
      here,
      { ...stage.env, BENCH_ACKS_LATE: acknowledges === "late" ? "1" : "0" }
    )
  }
})

export const floor = (stage: Stage): Contender => ({
  id: "floor",
  kind: "floor",
  name: "floor",
  work: celeryWork(stage),
  start: () => start([stage.node, join(here, "floor.ts")], here, stage.env)
})

const BULLMQ = join(here, "bullmq")

/** BullMQ is no dependency of the project: it is installed when it is measured. Throws when npm cannot install it. */
export const bullmq = (stage: Stage): Contender => {
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: BULLMQ, stdio: ["ignore", "ignore", "pipe"] })
  const { dependencies } = JSON.parse(readFileSync(join(BULLMQ, "package.json"), "utf8"))
  const script = join(BULLMQ, "bullmq.mjs")
  return {
    id: "bullmq",
    kind: "bullmq",
    name: `BullMQ ${dependencies.bullmq}`,
    work: {
      prepare: async (count) => () => stage.client([process.execPath, script, "enqueue"], count),
      done: () => stage.broker.zcard("bull:bench:completed"),
      roundTrips: (count) => stage.client([process.execPath, script, "roundtrip"], count)
    },
    start: () => start([stage.node, script, "worker"], here, stage.env)
  }
}
