/** Runs some seeds in a thread of its own and tells what came of each slice of them. */
import { syncBuiltinESMExports } from "node:module"
import os from "node:os"
import { type MessagePort, parentPort, workerData } from "node:worker_threads"
import { simulate } from "./simulate.ts"

// Heartbeats tell the machine's load: no part of a run, and slow to ask for.
os.loadavg = () => [0, 0, 0]
syncBuiltinESMExports()

export interface Order {
  readonly from: number
  readonly to: number
  readonly step: number
  /** Whether the first seed that fails is enough. */
  readonly untilFailure: boolean
}
export interface Report {
  readonly seeds: number
  readonly steps: number
  readonly kills: number
  readonly tasks: number
  readonly lost: number
  readonly savedTwice: number
  readonly paidTwice: number
  readonly failures: ReadonlyArray<{ readonly seed: number; readonly violations: ReadonlyArray<string> }>
}

export const nothing: Report = { seeds: 0, steps: 0, kills: 0, tasks: 0, lost: 0, savedTwice: 0, paidTwice: 0, failures: [] }

export const add = (one: Report, other: Report): Report => ({
  seeds: one.seeds + other.seeds,
  steps: one.steps + other.steps,
  kills: one.kills + other.kills,
  tasks: one.tasks + other.tasks,
  lost: one.lost + other.lost,
  savedTwice: one.savedTwice + other.savedTwice,
  paidTwice: one.paidTwice + other.paidTwice,
  failures: [...one.failures, ...other.failures]
})

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

if (parentPort !== null && workerData !== null && "untilFailure" in workerData) {
  const { from, step, to, untilFailure } = workerData as Order // who starts this thread says so
  let report = nothing
  for (let seed = from; seed <= to; seed += step) {
    report = add(report, reportOf(seed))
    const done = untilFailure && report.failures.length > 0
    if (report.seeds === SLICE || done) {
      tell(parentPort, report)
      report = nothing
    }
    if (done) break
  }
  tell(parentPort, report)
}
