import { Schema } from "effect"

export const Route = Schema.Literals(["submit", "status", "stream", "result", "cancel", "media", "platform"])
export type Route = typeof Route.Type

const keysOf = <K extends string>(record: Readonly<Record<K, string>>) => Object.keys(record) as Array<K> // no other keys: each is written here

/** Faults of a request or of its answer, each with what happens. */
export const requestFaults = {
  delay: "waits `ms` before the request is looked at",
  reset: "cuts the connection; nothing was taken",
  hang: "never answers; nothing was taken",
  busy: "429 with Retry-After in seconds: `ms` / 1000, rounded up",
  "busy-until": "429 with Retry-After as an HTTP date, `ms` from now",
  error: "`status` (500) as plain JSON, with `type` as its words",
  "error-signed": "the same, signed by fal as a job's own failure is",
  "error-listed": "`status` (500) with a list of problems, signed by fal",
  gateway: "`status` (502) with a gateway's HTML page, unsigned",
  html: "200 with an HTML page, unsigned; nothing was taken",
  redirect: "`status` (307) to another host; nothing was taken",
  "not-found": "404 for what exists",
  early: "400: the result is asked for too early"
} as const
/** The request is taken: a submit is executed and billed. Only its answer is spoilt. */
export const answerFaults = {
  "accept-then-delay": "answers after `ms`",
  "accept-then-reset": "cuts the connection instead of an answer",
  "accept-then-gateway": "answers `status` (502) with a gateway's HTML page, unsigned",
  "accept-then-truncate": "cuts the connection in the middle of the answer",
  "accept-then-hang": "never answers",
  "accept-then-html": "answers 200 with an HTML page, unsigned",
  "no-id": "names the request nowhere in the answer",
  "id-in-header": "names the request in the header x-fal-request-id alone",
  "id-in-addresses": "names the request in status_url, response_url and cancel_url alone",
  "id-in-beginning": "cuts the connection after the beginning of the body, and has no header with the id",
  "other-host": "gives addresses on another host",
  text: "answers with a plain sentence, signed by fal",
  odd: "puts the answer in another form: `type` is one of the forms below",
  encoded: "packs the answer: `type` is gzip, deflate, deflate-raw, br or zstd",
  misencoded: "says that the answer is packed by gzip, and it is not",
  "byte-order-mark": "begins the body with a byte order mark",
  "no-content-type": "leaves out the content type",
  twice: "sends each header twice",
  hints: "sends 100 and 103 before the answer",
  "long-headers": "sends 64 KB of headers",
  huge: "pads the answer to 3 MB",
  bomb: "packs an answer of 32 MB into 32 KB",
  endless: "begins the answer and goes on for ever, as fast as it is read",
  trickle: "begins the answer and goes on for ever, a byte every `ms`"
} as const
/** Faults of a status stream. */
export const streamFaults = {
  "stream-silent": "says nothing, for ever",
  "stream-lies": "says at once that the request has ended, and ends",
  "stream-ends": "ends in order after its first event",
  "stream-cut": "cuts the connection after its first event",
  "stream-slow": "tells each event `ms` late",
  "stream-rubbish": "sends events that are no statuses before those that are",
  "stream-huge": "begins with an event of 3 MB",
  "stream-endless": "sends comments for ever, as fast as they are read, and nothing else",
  "stream-trickle": "sends a byte of a comment every `ms`, for ever, and nothing else",
  "stream-untyped": "has the content type of JSON"
} as const
/** Faults of the job of an accepted submit. */
export const jobFaults = {
  "job-error": "ends with the error `type`, under another `status` if one is given",
  "job-forgotten": "ends with the error `type`, which the status tells, and has no result (404)",
  "job-late": "does not start before the caller's own deadline",
  "job-flagged": "has its picture blackened by the safety checker",
  "job-stuck": "waits at position 0 for ever",
  "job-slow": "takes `ms` on the runner",
  "job-ignores-cancel": "goes on when it is asked to cancel",
  "job-lost-media": "succeeds, and its picture cannot be downloaded: `status` (404)",
  "job-elsewhere": "is found at the addresses in the answer alone, not where the endpoint's name says",
  "job-named": "has the request id `type`"
} as const
type JobKind = keyof typeof jobFaults
const kinds = [...keysOf(requestFaults), ...keysOf(answerFaults), ...keysOf(streamFaults), ...keysOf(jobFaults)]

/**
 * A fault that happens `times` times, after `skip` requests of its route have gone well; with `endpoint`, to requests of that
 * endpoint alone. Job faults belong to `submit`, those of streams to `stream`.
 */
export const Fault = Schema.Struct({
  route: Route,
  kind: Schema.Literals(kinds),
  times: Schema.optionalKey(Schema.Natural),
  skip: Schema.optionalKey(Schema.Natural),
  endpoint: Schema.optionalKey(Schema.String),
  ms: Schema.optionalKey(Schema.Finite),
  status: Schema.optionalKey(Schema.Int),
  type: Schema.optionalKey(Schema.String)
})
export interface Fault extends Schema.Schema.Type<typeof Fault> {}
export const isJobFault = (fault: Fault): fault is Fault & { readonly kind: JobKind } => Object.hasOwn(jobFaults, fault.kind)

/** A request is of an endpoint when it is submitted to it and no other, or is about a request under its name or the app's. */
const concerns = ({ endpoint, route }: Fault, path: string) =>
  endpoint === undefined ||
  path === `/${endpoint}` ||
  (route !== "submit" && `/${endpoint}/`.startsWith(`${path.split("/requests/")[0]}/`))

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

  take(route: Route, path: string, which: (fault: Fault) => boolean): Fault | undefined {
    for (const entry of this.pending) {
      if (entry.fault.route !== route || !concerns(entry.fault, path) || !which(entry.fault) || entry.times === 0) continue
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
