import type { Schema } from "effect"
import type { Ending } from "./jobErrors.ts"
import * as JobErrors from "./jobErrors.ts"
import type { Settings } from "./SimulatorSettings.ts"

/** One accepted POST. */
export interface Execution {
  readonly requestId: string
  readonly endpoint: string
  readonly app: string
  readonly input: Schema.JsonObject
  readonly seed: number
  readonly low: boolean
  readonly storeIo: boolean
  readonly acceptedAt: number
  /** Deadline to start, of the caller's own. */
  readonly startBy: number
  readonly takes: number
  readonly stuck: boolean
  readonly ignoresCancel: boolean
  /** Where the pictures will be found. */
  readonly mediaBase: string
  /** Not before this has come (the download of a picture to edit) is `end` asked. */
  ready: boolean
  /** How it ends once it has run. */
  readonly end: () => Ending
  startedAt: number | null
  endedAt: number | null
  ending: Ending | null
  /** An administrator has had all that was kept of it deleted. */
  deleted: boolean
}

/**
 * fal's queue as a state machine without a clock of its own. The caller gives the time, and everything that was due by then
 * happens first, in its order. So a clock can stand still or jump, and nothing runs between two calls.
 */
export class Queue {
  private readonly all = new Map<string, Execution>()
  private readonly open = new Set<Execution>()
  private now = 0
  private readonly settings: () => Settings

  constructor(settings: () => Settings) {
    this.settings = settings
  }

  accept(execution: Execution, now: number): void {
    this.settle(now)
    this.all.set(execution.requestId, execution)
    this.open.add(execution)
    this.settle(now)
  }

  list(now: number): ReadonlyArray<Execution> {
    this.settle(now)
    return [...this.all.values()]
  }

  /** The execution of a request id, while fal keeps its result. */
  find(app: string, requestId: string, now: number): Execution | undefined {
    this.settle(now)
    const found = this.all.get(requestId)
    if (found === undefined || found.app !== app || found.deleted) return undefined
    const { resultSeconds, shortResultSeconds } = this.settings()
    const short = !found.storeIo || JSON.stringify(found.ending?.body ?? null).length >= 10_240
    const expired = found.endedAt !== null && now - found.endedAt > (short ? shortResultSeconds : resultSeconds) * 1000
    return expired ? undefined : found
  }

  /** Requests ahead of this one. */
  position(execution: Execution): number {
    return execution.stuck ? 0 : Math.max(0, this.waiting().indexOf(execution))
  }

  cancel(execution: Execution, now: number): "ALREADY_COMPLETED" | "CANCELLATION_REQUESTED" {
    this.settle(now)
    if (execution.ending !== null) return "ALREADY_COMPLETED"
    if (execution.startedAt === null) this.finish(execution, now, JobErrors.failed("client_cancelled"))
    else if (this.settings().cancelRunning === "stop" && !execution.ignoresCancel) {
      // Billed like a finished one, see `Settings.cancelRunning`. [?] So is what status and result say of it afterwards.
      this.finish(execution, now, { ...JobErrors.failed("client_cancelled"), units: execution.end().units })
    }
    this.settle(now)
    return "CANCELLATION_REQUESTED"
  }

  private queued(): ReadonlyArray<Execution> {
    return [...this.open].filter(({ startedAt }) => startedAt === null)
  }

  /** In the order of their turns: `low` waits behind every `normal` one. */
  private waiting(): ReadonlyArray<Execution> {
    const queued = this.queued().filter(({ stuck }) => !stuck)
    return [...queued.filter(({ low }) => !low), ...queued.filter(({ low }) => low)]
  }

  private running(): ReadonlyArray<Execution> {
    return [...this.open].filter(({ startedAt }) => startedAt !== null)
  }

  private finish(execution: Execution, at: number, ending: Ending): void {
    execution.endedAt = at
    execution.ending = ending
    this.open.delete(execution)
  }

  private settle(now: number): void {
    for (;;) {
      const running = this.running()
      for (const next of this.waiting().slice(0, Math.max(0, this.settings().concurrency - running.length)))
        next.startedAt = this.now
      // A job that waits for a download ends when a caller first finds the download done, not before.
      const due = [
        ...this.running().map((execution) => ({
          execution,
          at: execution.ready ? (execution.startedAt ?? 0) + execution.takes : Infinity,
          ending: execution.end
        })),
        ...this.queued().map((execution) => ({ execution, at: execution.startBy, ending: () => JobErrors.notStartedInTime }))
      ].sort((a, b) => a.at - b.at)[0]
      if (due === undefined || due.at > now) break
      this.now = Math.max(this.now, due.at)
      this.finish(due.execution, this.now, due.ending())
    }
    this.now = Math.max(this.now, now)
  }
}
