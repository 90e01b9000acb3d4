import { Clock, Effect, type Latch, type Schema } from "effect"
import { Cancelled, GeneratorError, JobFailed, type Picture, Refused, Unreachable, Unreadable } from "../../services/Generator.ts"

/** How a job ends, `after` so many milliseconds by the `Clock`. */
export type Job =
  | { readonly ends: "picture" | "flagged" | "unreadable"; readonly after: number }
  | { readonly ends: "refused" | "failed"; readonly after: number; readonly type: string }
  | { readonly ends: "never" }

/** One accepted submit, as the fal in this process executes it. */
export interface Execution {
  readonly requestId: string
  readonly endpoint: string
  readonly input: Schema.JsonObject
  readonly acceptedAt: number
  readonly job: Job
  cancelledAt: number | undefined
  /** Open once it was cancelled. */
  readonly cancelled: Latch.Latch
}

/** An execution as its ledger has it. */
export interface LedgerRow extends Omit<Execution, "job" | "cancelledAt" | "cancelled"> {
  /** Infinite for what never ends. */
  readonly endedAt: number
  readonly outcome: "running" | "picture" | "flagged" | "unreadable" | "refused" | "failed" | "cancelled"
  /** 1 for what fal would bill. */
  readonly units: number
}

const endOf = ({ acceptedAt, cancelledAt, job }: Execution) =>
  cancelledAt ?? (job.ends === "never" ? Infinity : acceptedAt + job.after)

const outcomeOf = (execution: Execution, now: number): LedgerRow["outcome"] => {
  const { cancelledAt, job } = execution
  if (cancelledAt !== undefined) return "cancelled"
  return job.ends === "never" || now < endOf(execution) ? "running" : job.ends
}

export const isOver = (execution: Execution, now: number) => outcomeOf(execution, now) !== "running"

/** Waits until it has ended, in whatever way. */
export const untilOver = Effect.fnUntraced(function* (execution: Execution) {
  const left = Math.max(0, endOf(execution) - (yield* Clock.currentTimeMillis))
  yield* Effect.race(Number.isFinite(left) ? Effect.sleep(left) : Effect.never, execution.cancelled.await)
})

const billed: ReadonlySet<string> = new Set(["picture", "flagged", "unreadable"])

export const rowOf = (execution: Execution, now: number): LedgerRow => {
  const { cancelled: _, cancelledAt: __, job: ___, ...about } = execution
  const outcome = outcomeOf(execution, now)
  return { ...about, endedAt: endOf(execution), outcome, units: billed.has(outcome) ? 1 : 0 }
}

/** The answer to a request for the result, made now. */
export const resultOf = (execution: Execution, now: number): Effect.Effect<Picture, GeneratorError> => {
  const { endpoint, input, job, requestId } = execution
  const outcome = outcomeOf(execution, now)
  const type = "type" in job ? job.type : ""
  const fail = (reason: GeneratorError["reason"]) => Effect.fail(new GeneratorError({ reason }))
  switch (outcome) {
    case "running":
      return fail(new Unreachable({ detail: "Request is still in progress" }))
    case "cancelled":
      return fail(new Cancelled({ detail: "Request was cancelled by the client" }))
    case "refused":
      return fail(new Refused({ status: 422, detail: type, billableUnits: 0 }))
    case "failed":
      return fail(new JobFailed({ status: 503, type, detail: type }))
    case "unreadable":
      return fail(new Unreadable({ detail: "an object with answer, note", billableUnits: 1 }))
    default:
      return Effect.succeed({
        url: `memory://${endpoint}/${requestId}.jpg`,
        width: 768,
        height: 1024,
        contentType: "image/jpeg",
        seed: typeof input["seed"] === "number" ? input["seed"] : 7,
        flagged: outcome === "flagged",
        billableUnits: 1
      })
  }
}
