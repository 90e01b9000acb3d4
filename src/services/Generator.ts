import { Context, type Effect, type Option, Schema } from "effect"
import type { ProviderRequest } from "./Catalogue.ts"

/**
 * fal refused before it took the work: the same request may be sent again, no sooner than `retryAfter` seconds where fal named a
 * time.
 */
export class Busy extends Schema.TaggedError<Busy>()("Busy", {
  detail: Schema.String,
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {}
/** The answer to a submit was lost: fal may or may not be working, and billing. */
export class Uncertain extends Schema.TaggedError<Uncertain>()("Uncertain", {
  detail: Schema.String,
  /** An error came back with this status (502, 503): it is hardly fal's work that failed, and the request was hardly taken. */
  answered: Schema.optionalKey(Schema.Int)
}) {}
/**
 * fal accepted a submit (2xx), and nothing in its answer names the request: it is paid, cannot be found, and must not be made
 * again.
 */
export class AcceptedWithoutId extends Schema.TaggedError<AcceptedWithoutId>()("AcceptedWithoutId", { detail: Schema.String }) {}
/**
 * The key, the balance or the model's name is wrong: the request will not fare better until a person acts. `scope` says how far
 * the refusal reaches, as far as fal's answer tells: `"account"` for every endpoint, `"endpoint"` for this one at least.
 */
export class AccountProblem extends Schema.TaggedError<AccountProblem>()("AccountProblem", {
  status: Schema.Int,
  detail: Schema.String,
  scope: Schema.Literals(["account", "endpoint"]),
  endpoint: Schema.String
}) {}
/** fal will not make this picture, in its own words; asking again would not help. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  status: Schema.Int,
  detail: Schema.String,
  billableUnits: Schema.Finite
}) {}
/** The request ended without a picture through no fault of the input; a new request may succeed. Never billed (5xx). */
export class JobFailed extends Schema.TaggedError<JobFailed>()("JobFailed", {
  status: Schema.Int,
  type: Schema.String,
  detail: Schema.String
}) {}
/**
 * fal ended the request with a success that holds no picture we can read. It is billed, so asking for another would pay again.
 */
export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", {
  detail: Schema.String,
  /** null when fal did not say. */
  billableUnits: Schema.NullOr(Schema.Finite)
}) {}
/** fal was asked to cancel and did. */
export class Cancelled extends Schema.TaggedError<Cancelled>()("Cancelled", { detail: Schema.String }) {}
/** fal does not know the request id (any more). It may have been paid. */
export class Unknown extends Schema.TaggedError<Unknown>()("Unknown", { detail: Schema.String }) {}
/**
 * A submit did not reach fal, or a status or result could not be read: no harm is done, and it may be tried again, no sooner than
 * `retryAfter` seconds where fal named a time.
 */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  detail: Schema.String,
  retryAfter: Schema.optionalKey(Schema.Finite),
  /**
   * fal answered the request for the result with an error and no reason. It may be a passing error, or the way in which the job
   * has ended.
   */
  ofTheJob: Schema.optionalKey(Schema.Literal(true))
}) {}

/** One error type for all failures: callers match on `reason`. */
export class GeneratorError extends Schema.TaggedError<GeneratorError>()("GeneratorError", {
  reason: Schema.Union([
    Busy,
    Uncertain,
    AcceptedWithoutId,
    AccountProblem,
    Refused,
    JobFailed,
    Unreadable,
    Cancelled,
    Unknown,
    Unreachable
  ])
}) {
  override get message() {
    return `${this.reason._tag}: ${this.reason.detail}`
  }
}

/** All of them, by tag. */
export const REASONS = [
  "Busy",
  "Uncertain",
  "AcceptedWithoutId",
  "AccountProblem",
  "Refused",
  "JobFailed",
  "Unreadable",
  "Cancelled",
  "Unknown",
  "Unreachable"
] as const satisfies ReadonlyArray<GeneratorError["reason"]["_tag"]>

/**
 * Where fal said that a request is to be asked about: paths and queries without a host, so that neither a stored ticket nor an
 * answer can send the key anywhere but to fal. One is absent where fal named none, or one on another host.
 */
export const Paths = Schema.Struct({
  status: Schema.optionalKey(Schema.String),
  result: Schema.optionalKey(Schema.String),
  cancel: Schema.optionalKey(Schema.String)
})
export interface Paths extends Schema.Schema.Type<typeof Paths> {}

/**
 * A request fal has accepted: all it takes to find it again, from any process. Without `paths` (tickets of older versions have
 * none) it is asked about where the endpoint's name says.
 */
export const Ticket = Schema.Struct({
  endpoint: Schema.String,
  requestId: Schema.NonEmptyString,
  paths: Schema.optionalKey(Paths)
})
export interface Ticket extends Schema.Schema.Type<typeof Ticket> {}

export type Progress =
  | { readonly _tag: "Queued"; readonly position: number | null }
  | { readonly _tag: "Running" }
  /** The request has ended, well or badly. `result` tells which; `failure` where fal keeps no result of a failed one. */
  | {
      readonly _tag: "Ended"
      readonly inferenceSeconds: number | null
      readonly failure?: GeneratorError["reason"]
    }

export const Picture = Schema.Struct({
  url: Schema.String,
  width: Schema.NullOr(Schema.Int),
  height: Schema.NullOr(Schema.Int),
  contentType: Schema.NullOr(Schema.String),
  seed: Schema.NullOr(Schema.Finite),
  /** fal's safety checker blackened it: paid for, and of no use. */
  flagged: Schema.Boolean,
  /** Units that fal charges, in the endpoint's price unit; null when fal did not say. */
  billableUnits: Schema.NullOr(Schema.Finite)
})
export interface Picture extends Schema.Schema.Type<typeof Picture> {}

/** The end of a request, as a status stream tells it. */
export interface SaidEnded {
  readonly inferenceSeconds: number | null
}

/** fal's queue API, one HTTP request per call and no retries inside: repeating is the caller's decision. */
export class Generator extends Context.Service<
  Generator,
  {
    /** Exactly one POST, whatever happens. Each success is a generation that will be billed. */
    readonly submit: (request: ProviderRequest) => Effect.Effect<Ticket, GeneratorError>
    readonly progress: (ticket: Ticket) => Effect.Effect<Progress, GeneratorError>
    /**
     * Waits until fal's status stream says that the request has ended. That is a hint and no proof: status and result decide.
     * `None` when the stream was refused, broke or ended without saying so; a silent one says nothing for ever. An interruption
     * ends it.
     */
    readonly awaitEnd: (ticket: Ticket) => Effect.Effect<Option.Option<SaidEnded>>
    /** The picture of a request that has ended. Fails `Unreachable` when it has not. */
    readonly result: (ticket: Ticket) => Effect.Effect<Picture, GeneratorError>
    /** Asks fal to stop. `"asked"` promises nothing: it may complete and bill all the same. */
    readonly cancel: (ticket: Ticket) => Effect.Effect<"asked" | "ended" | "unknown", GeneratorError>
    /** Is fal there, and does it know our key? Costs nothing. */
    readonly probe: Effect.Effect<void, GeneratorError>
  }
>()("model-generator/services/Generator") {}
