/** Who is measured: our worker, stock Celery that acknowledges early and late, BullMQ, and the floor under all of them. */
import { type ChildProcess, execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { freePort } from "../../test/servers/Process.ts"
import * as Python from "../../test/servers/Python.ts"
import { type Env, start } from "./processes.ts"
import type { Stage } from "./stage.ts"

const here = import.meta.dirname

export interface Options {
  /** Tasks at once. */
  readonly slots?: number
  /** Of several workers at once each has its own. */
  readonly name?: string
}

/** How work reaches a worker, and how it is known that it is done. */
export interface Work {
  /** Makes a backlog of health checks, and returns what puts all of it before the worker. */
  readonly prepare: (count: number) => Promise<() => Promise<unknown>>
  /** Tasks whose results are stored. */
  readonly done: () => Promise<number>
  /** Milliseconds of health checks that were waited for one after the other. */
  readonly roundTrips: (count: number) => Promise<ReadonlyArray<number>>
}

export type Kind = "ours" | "celery" | "late" | "bullmq" | "floor"
export interface Contender {
  /** Two of one kind are told apart by it. */
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

/** A bundle of ours, with a database of its own. */
export const ours = (stage: Stage, bundle: string, id: string, name: string): Contender => {
  const database = `bench_${id}`
  const env: Env = {
    ...stage.env,
    DATABASE_URL: stage.databaseUrl(database),
    LOG_LEVEL: "error",
    MALLOC_ARENA_MAX: "1" // as in the image
  }
  stage.createDatabase(database)
  execFileSync(process.execPath, [bundle, "migrate"], { cwd: here, env: { ...process.env, ...env }, stdio: "ignore" })
  return {
    id,
    kind: "ours",
    name,
    work: celeryWork(stage),
    start: async ({ name = "bench", slots = 1 } = {}) =>
      start([stage.node, bundle, "worker"], here, {
        ...env,
        METRICS_PORT: String(await freePort()),
        WORKER_NAME: `celery@${name}`,
        WORKER_CONCURRENCY: String(slots)
      })
  }
}

const CELERY = Python.environments.celery53[0].replace("celery==", "Celery ")

/** Without gossip and mingle, which ours has: they would be the others' talk to nobody. */
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

/** BullMQ is no dependency of the project: it is installed here when it is wanted. Throws when npm cannot. */
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
