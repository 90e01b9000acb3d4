import { Context, type Effect, Schema } from "effect"

/** fal said no before taking the work: the same request may be sent again. */
export class Busy extends Schema.TaggedError<Busy>()("Busy", { detail: Schema.String }) {}
/** The answer to a submit was lost: fal may or may not be working, and billing. */
export class Uncertain extends Schema.TaggedError<Uncertain>()("Uncertain", { detail: Schema.String }) {}
/** The key, the balance or the model's name is wrong: no request will fare better until a person acts. */
export class AccountProblem extends Schema.TaggedError<AccountProblem>()("AccountProblem", {
  status: Schema.Int,
  detail: Schema.String
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
/** fal was asked to cancel and did. */
export class Cancelled extends Schema.TaggedError<Cancelled>()("Cancelled", { detail: Schema.String }) {}
/** fal does not know the request id (any more). It may have been paid. */
export class Unknown extends Schema.TaggedError<Unknown>()("Unknown", { detail: Schema.String }) {}
/** A submit did not reach fal, or a status or result could not be read: no harm is done, and it may be tried again. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", { detail: Schema.String }) {}

/** One failure, several reasons: callers match on `reason`. */
export class GeneratorError extends Schema.TaggedError<GeneratorError>()("GeneratorError", {
  reason: Schema.Union([Busy, Uncertain, AccountProblem, Refused, JobFailed, Cancelled, Unknown, Unreachable])
}) {
  override get message() {
    return `${this.reason._tag}: ${this.reason.detail}`
  }
}

/** A request fal has accepted. `endpoint` and `requestId` are all it takes to find it again, from any process. */
export const Ticket = Schema.Struct({ endpoint: Schema.String, requestId: Schema.NonEmptyString })
export interface Ticket extends Schema.Schema.Type<typeof Ticket> {}

export type Progress =
  | { readonly _tag: "Queued"; readonly position: number | null }
  | { readonly _tag: "Running" }
  /** It has ended, well or badly: `result` tells. */
  | { readonly _tag: "Ended"; readonly inferenceSeconds: number | null }

export const Picture = Schema.Struct({
  url: Schema.String,
  width: Schema.NullOr(Schema.Int),
  height: Schema.NullOr(Schema.Int),
  contentType: Schema.NullOr(Schema.String),
  seed: Schema.NullOr(Schema.Finite),
  /** fal's safety checker blackened it: paid for, and of no use. */
  flagged: Schema.Boolean,
  /** What fal charges, in the endpoint's price unit; null when fal did not say. */
  billableUnits: Schema.NullOr(Schema.Finite)
})
export interface Picture extends Schema.Schema.Type<typeof Picture> {}

/** fal's queue API, one HTTP request per call and no retries inside: repeating is the caller's decision. */
export class Generator extends Context.Service<
  Generator,
  {
    /** Exactly one POST, whatever happens. Each success is a generation that will be billed. */
    readonly submit: (endpoint: string, input: Schema.JsonObject) => Effect.Effect<Ticket, GeneratorError>
    readonly progress: (ticket: Ticket) => Effect.Effect<Progress, GeneratorError>
    /** The picture of a request that has ended. Fails `Unreachable` when it has not. */
    readonly result: (ticket: Ticket) => Effect.Effect<Picture, GeneratorError>
    /** Asks fal to stop. `"asked"` promises nothing: it may complete and bill all the same. */
    readonly cancel: (ticket: Ticket) => Effect.Effect<"asked" | "ended" | "unknown", GeneratorError>
    /** Is fal there, and does it know our key? Costs nothing. */
    readonly probe: Effect.Effect<void, GeneratorError>
  }
>()("model-generator/services/Generator") {}
