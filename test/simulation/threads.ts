import { pathToFileURL } from "node:url"
import { setFlagsFromString } from "node:v8"
import { Worker } from "node:worker_threads"
import { add, nothing, type Report } from "./Report.ts"
import type { Order } from "./thread.ts"

// A run calls thousands of functions, each not often: by itself V8 interprets most of them for the first hundreds of seeds.
setFlagsFromString("--always-sparkplug")
setFlagsFromString("--invocation-count-for-turbofan=1000")

/** More room for what a run throws away, which is all of it. */
const resourceLimits = { maxYoungGenerationSizeMb: 64 }

/** Runs one thread's seeds with the code under this folder. */
export const runThread = (folder: string, order: Order, onSlice: (report: Report) => void = () => {}) =>
  new Promise<Report>((resolve, reject) => {
    let report = nothing
    const worker = new Worker(pathToFileURL(`${folder}/test/simulation/thread.ts`), { workerData: order, resourceLimits })
    worker.on("message", (slice: Report) => {
      report = add(report, slice)
      onSlice(slice)
    })
    worker.on("error", reject)
    worker.on("exit", () => resolve(report))
  })

/** The same for all seeds, on so many threads. */
export const runThreads = async (
  folder: string,
  seeds: { readonly from: number; readonly count: number },
  threads: number,
  onSlice?: (report: Report) => void
) => {
  const to = seeds.from + seeds.count - 1
  const reports = await Promise.all(
    Array.from({ length: threads }, (_, at) =>
      runThread(folder, { from: seeds.from + at, to, step: threads, until: undefined }, onSlice)
    )
  )
  return reports.reduce(add, nothing)
}
