import { Context, type Effect, type Option, Schema } from "effect"
import type { OverBudget } from "./Budget.ts"
import { Paths, Picture } from "./Generator.ts"
import { type Outcome, Row } from "./Ledger.ts"
import { NanoDollars } from "./NanoDollars.ts"

export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

/** A request whose answer was lost, or that fal no longer knows: it may have been paid. */
export const LostRequest = Schema.Struct({
  attempt: Schema.Finite,
  at: Schema.Finite,
  requestId: Schema.optionalKey(Schema.String)
})
export type LostRequest = typeof LostRequest.Type

const about = {
  endpoint: Schema.String,
  /** The request in the provider's own words. Long values are left out: then `cut` is set, and the task still has them. */
  input: Schema.JsonObject,
  /** The request's seed. Older workers wrote it into `input` only. */
  seed: Schema.optionalKey(Schema.Finite),
  cut: Schema.optionalKey(Schema.Literal(true)),
  /** Facts that the task knew when it bought the picture and needs again when it saves it. */
  note: Schema.optionalKey(Schema.JsonObject),
  /** Unix milliseconds of the intent, by the journal's clock. */
  at: Schema.Finite,
  /** A random number that names this generation. Entries of older workers have none and are named by `at`. */
  attempt: Schema.optionalKey(Schema.Finite),
  /** Digest of the task's name and arguments. The same task id with another digest is another task; a missing digest fits any. */
  digest: Schema.optionalKey(Schema.String),
  /** How many requests that may have been paid came before this one. */
  resubmits: Schema.Int,
  /** Those requests, for the ledger. Older workers name none. */
  lost: Schema.optionalKey(Schema.Array(LostRequest)),
  /** How long its task may run (seconds), where that is known: TASK_TIME_LIMIT where it is not. */
  timeLimit: Schema.optionalKey(Schema.Finite),
  /** The most that the request can cost, where its price is known: so much is reserved in the budget. */
  price: Schema.optionalKey(NanoDollars),
  /** Who pays. Older workers do not say. */
  caller: Schema.optionalKey(Schema.String)
}
/** A submit is about to be made, or was made and its answer is lost. Found by a later delivery it means: uncertain. */
export const Intended = Schema.TaggedStruct("Intended", {
  ...about,
  /** fal took it and named no request id: it is paid, and must not be made again. */
  accepted: Schema.optionalKey(Schema.Literal(true)),
  /** The submit was answered with this error (502, 503), which hardly comes of a request that was taken. */
  answered: Schema.optionalKey(Schema.Int)
})
/** fal accepted the request: a worker that finds this entry waits for the request again and never submits. */
export const Submitted = Schema.TaggedStruct("Submitted", {
  ...about,
  requestId: Schema.String,
  paths: Schema.optionalKey(Paths),
  /** Since when fal has said that it does not know the request (Unix milliseconds, by the journal's clock). */
  unknownSince: Schema.optionalKey(Schema.Finite)
})
/** A picture's files in the media store, and what was found when the picture was examined. */
export const StoredPicture = Schema.Struct({
  /** Its name in the store. */
  name: Schema.String,
  thumbnail: Schema.String,
  /** Of the stored bytes, in lower-case hex. */
  sha256: Schema.String,
  /** How many those are. */
  bytes: Schema.Int,
  /** Of the bytes as the provider's server gave them. Older workers do not say. */
  sourceSha256: Schema.optionalKey(Schema.String),
  contentType: Schema.String,
  width: Schema.Int,
  height: Schema.Int,
  thumbhash: Schema.String,
  phash: Schema.String
})
export interface StoredPicture extends Schema.Schema.Type<typeof StoredPicture> {}
/** The picture exists and is paid for; what remains is to save it, unless it is flagged. */
export const Generated = Schema.TaggedStruct("Generated", {
  ...about,
  requestId: Schema.String,
  paths: Schema.optionalKey(Paths),
  picture: Picture,
  tookMs: Schema.Int,
  /** What the provider says the work alone took, if it does. */
  inferenceMs: Schema.optionalKey(Schema.Finite),
  /** What it has cost; as much as `price` where the provider did not say. */
  cost: Schema.optionalKey(NanoDollars),
  /**
   * The picture's bytes are in our media store, so the provider's address is not needed any more. Older workers leave this field
   * as it is.
   */
  media: Schema.optionalKey(StoredPicture)
})

/** Where one generation stands: one paid request to fal on behalf of one task. */
export const Generation = Schema.Union([Intended, Submitted, Generated])
export type Generation = typeof Generation.Type
export type State = Generation["_tag"]
export const states = ["Intended", "Submitted", "Generated"] as const satisfies ReadonlyArray<State>

/** Something is written that no worker of this version can read. It may say that a picture is paid. */
export const Unreadable = Schema.TaggedStruct("Unreadable", {
  /** A request id that stands in it. */
  requestId: Schema.NullOr(Schema.String)
})
export type Unreadable = typeof Unreadable.Type

/** The seed that a request was made with, by which it is found in the provider's history. */
export const seedOf = ({ input, seed }: Generation): number | undefined =>
  seed ?? (typeof input["seed"] === "number" ? input["seed"] : undefined)

/** The number that names a generation, in every state. */
export const attemptOf = ({ at, attempt }: Generation) => attempt ?? at

/** Whether a generation is of the same request as another, or repeats it. */
export const isSameRequest = (one: Generation, other: Generation) =>
  attemptOf(one) === attemptOf(other) || other.lost?.some(({ attempt }) => attempt === attemptOf(one)) === true

export const isSameTask = (one: Pick<Generation, "digest">, other: Pick<Generation, "digest">) =>
  one.digest === undefined || other.digest === undefined || one.digest === other.digest

/** How far a generation has got: a stored picture is further than one that is only paid. */
export const rank = (generation: Generation) =>
  states.indexOf(generation._tag) + (generation._tag === "Generated" && generation.media !== undefined ? 1 : 0)

/**
 * Whether `next` may stand in the place of `stored`, because it knows as much of the same generation, or because it is another
 * that knows more: one made again more often, or, of two made as often, the one whose request got further. Of two tasks under one
 * id the later one.
 */
export const outweighs = (next: Generation, stored: Generation) => {
  if (attemptOf(next) === attemptOf(stored)) return rank(next) >= rank(stored)
  if (!isSameTask(next, stored)) return next.at > stored.at
  return next.resubmits === stored.resubmits ? rank(next) > rank(stored) : next.resubmits > stored.resubmits
}

/** How a request ended, as far as the ledger is concerned. */
export interface PaidEnd {
  readonly outcome: Outcome
  /** null where fal did not say. */
  readonly units: number | null
}

/** A request of a task that has ended, whose rows in the ledger are still to be written. */
export const Debt = Schema.Struct({
  taskId: Schema.String,
  rootId: Schema.String,
  caller: Schema.String,
  digest: Schema.String,
  timeLimit: Schema.Finite,
  /** What its task knew of it last; null if it knew nothing and was about to make one, or the rows are known. */
  generation: Schema.NullOr(Generation),
  /** null until it is found out how the request ends. */
  rows: Schema.NullOr(Schema.Array(Row))
})
export type Debt = typeof Debt.Type
/** A debt that somebody has taken up is left to them for this long (seconds). */
export const TAKEN = 120
/** So many debts are taken up at once. */
export const MOST_TAKEN = 20

/** A task that last asked for room this long ago no longer blocks those behind it in the line (seconds). */
export const PRESENT = 1
/** A task that last asked this long ago has left the line (seconds). */
export const GONE = 60
/** A request that no worker updates counts as in flight for the task's time limit and this many seconds more. */
export const ORPHANED = 300
/** How long an entry is kept: longer than fal keeps a result or Celery a message (seconds). */
export const KEEP = 7 * 86_400

/**
 * What is known of each task's paid request. It is kept for a week in the broker's Redis, so that a redelivery, a retry or
 * another worker finds it. It also knows which requests of the fleet are in flight: those intended or submitted, whether or not
 * the worker that made them still lives.
 *
 * Knowledge of a generation only grows. If the store loses an entry, the worker that still knows it writes it again.
 */
export class Journal extends Context.Service<
  Journal,
  {
    /** The entry of a task, and the time of the clock that all workers share (Unix milliseconds). */
    readonly find: (
      taskId: string
    ) => Effect.Effect<{ readonly entry: Option.Option<Generation | Unreadable>; readonly now: number }, JournalError>
    /**
     * Writes an intent, if the fleet may have one more request in flight (FAL_MAX_CONCURRENT). It may replace nothing, the lost
     * generation that it repeats, or an entry of another task under the same id that is no longer in flight. `"full"` when there
     * is no room: tasks that keep asking get room in the order of their first asking. Its price is reserved in the same step; a
     * refusal says which budget has not that much left.
     */
    readonly intend: (
      taskId: string,
      intent: typeof Intended.Type,
      repeats: Option.Option<Generation>
    ) => Effect.Effect<"written" | "contended" | "full" | OverBudget, JournalError>
    /**
     * Writes how far a generation has got, if it outweighs what is written, or nothing is. `"known"`: nothing had to be changed;
     * `"superseded"`: another generation of the same task is written that knows more; `"taken"`: what is written is of another
     * task under the same id, or cannot be read. Only after `"written"` has anything changed.
     */
    readonly advance: (
      taskId: string,
      next: Generation
    ) => Effect.Effect<"written" | "known" | "superseded" | "taken", JournalError>
    /** This generation is sure to have cost nothing: what was there before it is put in its place, unless it has got further. */
    readonly withdraw: (
      taskId: string,
      generation: Generation,
      before: Option.Option<Generation>
    ) => Effect.Effect<void, JournalError>
    /**
     * Keeps a debt until it is `settled`, and gives its name. The entry of its task may meanwhile be replaced, and the task's message
     * gone.
     */
    readonly owe: (debt: Debt) => Effect.Effect<string, JournalError>
    /** Some of the debts that nobody has taken up for TAKEN seconds, the oldest first. They are taken up by this. */
    readonly owed: Effect.Effect<ReadonlyArray<{ readonly name: string; readonly debt: Debt }>, JournalError>
    readonly settled: (name: string) => Effect.Effect<void, JournalError>
    /** How many debts there are. */
    readonly owing: Effect.Effect<number, JournalError>
    /** How many generations stand in each state, of those that have not ended without a picture. */
    readonly counts: Effect.Effect<Readonly<Record<State, number>>, JournalError>
    /**
     * The generation has ended without a picture: it is no longer in flight nor counted. Its entry stays, and forbids another
     * request. Its reservation is settled by `cost`; without, all that was reserved counts as spent.
     */
    readonly close: (taskId: string, cost?: NanoDollars) => Effect.Effect<void, JournalError>
    /** Requests of the whole fleet that fal may be working on. */
    readonly inFlight: Effect.Effect<number, JournalError>
  }
>()("model-generator/services/Journal") {}
