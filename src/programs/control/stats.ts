import { arch, release, type } from "node:os"
import { pythonRepr } from "../celery/pythonRepr.ts"
import { VERSION } from "../version.ts"
import type { ControlledWorker } from "./ControlledWorker.ts"

const rusage = () => {
  const used = process.resourceUsage()
  return {
    utime: used.userCPUTime / 1e6,
    stime: used.systemCPUTime / 1e6,
    maxrss: used.maxRSS,
    ixrss: used.sharedMemorySize,
    idrss: used.unsharedDataSize,
    isrss: used.unsharedStackSize,
    minflt: used.minorPageFault,
    majflt: used.majorPageFault,
    nswap: used.swappedOut,
    inblock: used.fsRead,
    oublock: used.fsWrite,
    msgsnd: used.ipcSent,
    msgrcv: used.ipcReceived,
    nsignals: used.signalsCount,
    nvcsw: used.voluntaryContextSwitches,
    nivcsw: used.involuntaryContextSwitches
  }
}

/** In the form of a prefork worker. Our children are fibers, so each of them has our process id. */
export const stats = (worker: ControlledWorker, now: number, busy: number) => {
  const done = worker.pool.done()
  const total = done.reduce((sum, count) => sum + count, 0)
  const share = (count: number) => (total === 0 ? 0 : count / total).toFixed(2)
  return {
    total: Object.fromEntries(worker.vitals.totals),
    pid: worker.me.pid,
    clock: String(worker.lamport.value()),
    uptime: Math.round((now - worker.me.startedAt) / 1000),
    pool: {
      implementation: "model-generator.pool:Pool",
      "max-concurrency": worker.pool.size(),
      processes: done.map(() => worker.me.pid),
      "max-tasks-per-child": worker.limits.quota,
      "put-guarded-by-semaphore": true,
      timeouts: [worker.limits.soft, worker.limits.hard],
      writes: {
        total,
        avg: share(done.length === 0 ? 0 : total / done.length),
        all: done.map(share).join(", "),
        raw: done.join(", "),
        strategy: "fair",
        inqueues: { total: done.length, active: busy }
      }
    },
    broker: worker.broker,
    prefetch_count: (worker.autoscaler?.info().max ?? worker.pool.size()) * worker.limits.prefetch,
    ...(worker.autoscaler === undefined ? {} : { autoscaler: worker.autoscaler.info() }),
    rusage: rusage()
  }
}

/** The text of `celery report`. */
export const report = (worker: ControlledWorker) =>
  [
    "",
    `software -> model-generator:${VERSION} node:${process.versions.node} v8:${process.versions.v8}`,
    `platform -> system:${type()} arch:${arch()}`,
    `            kernel version:${release()} imp:Node.js`,
    "loader   -> model-generator",
    `settings -> transport:${String(worker.broker["transport"])} results:${String(worker.conf.changed["result_backend"])}`,
    "",
    ...Object.entries(worker.conf.changed).map(([name, value]) => `${name}: ${pythonRepr(value)}`),
    ""
  ].join("\n")

const size = () => `${(process.memoryUsage.rss() / 2 ** 20).toFixed(2)}MB`

/** Memory as `memsample` takes it and `memdump` shows it. */
export const memory = () => {
  const samples: Array<string> = []
  return {
    sample: () => {
      const now = size()
      samples.push(now)
      if (samples.length > 1000) samples.shift()
      return now
    },
    dump: (most: number) => {
      const shown = samples.splice(0).slice(-Math.max(1, most))
      const before = shown.length === 0 ? [] : ["- rss (sample):", ...shown.map((one) => `-    > ${one},`)]
      return [...before, `- rss (end): ${size()}.`, ""].join("\n")
    }
  }
}
