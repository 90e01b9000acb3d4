import { Context, type Effect, type Option, Schema } from "effect"
import { Paths, Picture } from "./Generator.ts"

export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

const about = {
  endpoint: Schema.String,
  /** What fal is asked. Values that are long are not kept: then `cut` is set, and the task still has them. */
  input: Schema.JsonObject,
  cut: Schema.optionalKey(Schema.Literal(true)),
  /** What its task knew when it bought, and must know when the picture comes. */
  note: Schema.optionalKey(Schema.JsonObject),
  /** Unix milliseconds of the intent, by the journal's clock. */
  at: Schema.Finite,
  /** Names this generation, by chance. Where older workers wrote none `at` names it. */
  attempt: Schema.optionalKey(Schema.Finite),
  /** Of the task's name and arguments: the same task id with others is another task. Where it is missing they pass for the same. */
  digest: Schema.optionalKey(Schema.String),
  /** How many requests that may have been paid came before this one. */
  resubmits: Schema.Int,
  /** How long its task may run (seconds), where that is known: TASK_TIME_LIMIT where it is not. */
  timeLimit: Schema.optionalKey(Schema.Finite)
}
/** A submit is about to be made, or was made and its answer is lost. Found by a later delivery it means: uncertain. */
export const Intended = Schema.TaggedStruct("Intended", {
  ...about,
  /** fal took it and named no request id: it is paid, and must not be made again. */
  accepted: Schema.optionalKey(Schema.Literal(true))
})
/** fal accepted it: whoever finds this re-attaches and never submits. */
export const Submitted = Schema.TaggedStruct("Submitted", {
  ...about,
  requestId: Schema.String,
  paths: Schema.optionalKey(Paths),
  /** Since when fal has said that it does not know the request (Unix milliseconds, by the journal's clock). */
  unknownSince: Schema.optionalKey(Schema.Finite)
})
/** The picture exists and is paid for; what remains is to save it, unless it is flagged. */
export const Generated = Schema.TaggedStruct("Generated", {
  ...about,
  requestId: Schema.String,
  paths: Schema.optionalKey(Paths),
  picture: Picture,
  tookMs: Schema.Int
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

/** What names a generation, whatever state it is in. */
export const attemptOf = ({ at, attempt }: Generation) => attempt ?? at

export const isSameTask = (one: Pick<Generation, "digest">, other: Pick<Generation, "digest">) =>
  one.digest === undefined || other.digest === undefined || one.digest === other.digest

const rank = ({ _tag }: Generation) => states.indexOf(_tag)

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

/** One that asked for room this long ago does not hold up who came after it (seconds). */
export const PRESENT = 1
/** One that has not asked again for so long has left the line (seconds). */
export const GONE = 60
/** How much longer than a task may run its request counts as in flight when nobody has touched it (seconds). */
export const ORPHANED = 300
/** How long an entry is kept: longer than fal keeps a result or Celery a message (seconds). */
export const KEEP = 7 * 86_400

/**
 * Kept beside the message in the broker's Redis for a week, so that a redelivery, a retry or another worker finds it. It knows
 * the fleet's requests in flight: those intended or submitted, whether or not the worker that made them still lives. What is
 * known of a generation only grows, and what a store has forgotten is written again by who knows it.
 */
export class Journal extends Context.Service<
  Journal,
  {
    /** What is written, and the time of the clock that all who use this journal share (Unix milliseconds). */
    readonly find: (
      taskId: string
    ) => Effect.Effect<{ readonly entry: Option.Option<Generation | Unreadable>; readonly now: number }, JournalError>
    /**
     * Writes an intent where nothing is written, in the place of the lost generation it repeats, or of another task's under the
     * same id that is no longer in flight; and only if the fleet may have one more request in flight (FAL_MAX_CONCURRENT).
     * `"full"` when it may not: who goes on asking gets room in the order of first asking.
     */
    readonly intend: (
      taskId: string,
      intent: typeof Intended.Type,
      repeats: Option.Option<Generation>
    ) => Effect.Effect<"written" | "contended" | "full", JournalError>
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
    /** How many generations stand in each state, of those that have not ended without a picture. */
    readonly counts: Effect.Effect<Readonly<Record<State, number>>, JournalError>
    /** It has ended without a picture: no longer in flight, and not among the counts. What is written stays, and forbids another. */
    readonly close: (taskId: string) => Effect.Effect<void, JournalError>
    /** Requests of the whole fleet that fal may be working on. */
    readonly inFlight: Effect.Effect<number, JournalError>
  }
>()("model-generator/services/Journal") {}
