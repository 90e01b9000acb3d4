/** Runs some seeds in a thread of its own and tells what came of each slice of them. */
import "./bare.ts"
import { type MessagePort, parentPort, workerData } from "node:worker_threads"
import { add, nothing, type Report } from "./Report.ts"
import { simulate } from "./simulate.ts"

export interface Order {
  readonly from: number
  readonly to: number
  readonly step: number
  /** Whether the first seed that breaks an invariant with these words is enough. */
  readonly until?: string | undefined
}

/** One seed's report. A run that cannot go on is a failure of its own. */
export const reportOf = (seed: number): Report => {
  try {
    const { violations, ...outcome } = simulate(seed)
    return { ...nothing, ...outcome, seeds: 1, failures: violations.length === 0 ? [] : [{ seed, violations }] }
  } catch (error) {
    return { ...nothing, seeds: 1, failures: [{ seed, violations: [`broken: ${String(error).slice(0, 300)}`] }] }
  }
}

const SLICE = 50

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origins
const tell = (port: MessagePort, report: Report) => port.postMessage(report)

if (parentPort !== null && workerData !== null && "until" in workerData) {
  const { from, step, to, until } = workerData as Order // who starts this thread says so
  let report = nothing
  for (let seed = from; seed <= to; seed += step) {
    report = add(report, reportOf(seed))
    const done = until !== undefined && report.failures.some(({ violations }) => violations.some((one) => one.includes(until)))
    if (report.seeds === SLICE || done) {
      tell(parentPort, report)
      report = nothing
    }
    if (done) break
  }
  tell(parentPort, report)
}
