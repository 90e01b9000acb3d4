import { Schema } from "effect"

export const Route = Schema.Literals(["submit", "status", "stream", "result", "cancel", "media", "platform"])
export type Route = typeof Route.Type

const http = [
  /** Waits `ms` before the request is looked at. */
  "delay",
  /** The connection is cut; nothing was taken. */
  "reset",
  /** No answer, ever; nothing was taken. */
  "hang",
  /** 429 with Retry-After. */
  "busy",
  /** `status` (500) with a plain JSON body. */
  "error",
  /** `status` (502) with a gateway's HTML page, unsigned. */
  "gateway",
  /** 200 with an HTML page. */
  "html",
  /** 404 for what exists. */
  "not-found",
  /** 400: the result is asked for too early. */
  "early",
  // The following take the request (a submit is executed and billed) and spoil only the answer.
  "accept-then-delay",
  "accept-then-reset",
  "accept-then-gateway",
  "accept-then-truncate",
  "accept-then-hang",
  "accept-then-html"
] as const
const job = [
  /** Ends with the error `type` of `jobErrors.ts`, under another `status` if one is given. */
  "job-error",
  /** Does not start before the deadline of the caller's own. */
  "job-late",
  /** The picture is blackened by the safety checker. */
  "job-flagged",
  /** Waits at position 0 for ever. */
  "job-stuck",
  /** Takes `ms` on the runner. */
  "job-slow",
  /** Goes on when it is asked to cancel. */
  "job-ignores-cancel",
  /** Succeeds, and its picture cannot be downloaded: `status` (404). */
  "job-lost-media"
] as const

/** One thing that goes wrong `times` times, after `skip` requests of its route went well. Job faults belong to `submit`. */
export const Fault = Schema.Struct({
  route: Route,
  kind: Schema.Literals([...http, ...job]),
  times: Schema.optionalKey(Schema.Natural),
  skip: Schema.optionalKey(Schema.Natural),
  ms: Schema.optionalKey(Schema.Finite),
  status: Schema.optionalKey(Schema.Int),
  type: Schema.optionalKey(Schema.String)
})
export interface Fault extends Schema.Schema.Type<typeof Fault> {}
type JobKind = (typeof job)[number]

export const isJobFault = (fault: Fault): fault is Fault & { readonly kind: JobKind } =>
  (job as ReadonlyArray<string>).includes(fault.kind) // widened only for `includes`

/** The faults still to come. Each request uses up at most one of the connection's and one of the job's. */
export class Faults {
  private pending: Array<{ readonly fault: Fault; skip: number; times: number }> = []

  add(faults: ReadonlyArray<Fault>): void {
    for (const fault of faults) this.pending.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 })
  }

  clear(): void {
    this.pending = []
  }

  list(): ReadonlyArray<Fault> {
    return this.pending.map(({ fault, skip, times }) => ({ ...fault, skip, times }))
  }

  take(route: Route, which: (fault: Fault) => boolean): Fault | undefined {
    for (const entry of this.pending) {
      if (entry.fault.route !== route || !which(entry.fault) || entry.times === 0) continue
      if (entry.skip > 0) {
        entry.skip--
        continue
      }
      entry.times--
      this.pending = this.pending.filter(({ times }) => times > 0)
      return entry.fault
    }
    return undefined
  }
}
