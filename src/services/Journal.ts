import { Context, type Effect, type Option, Schema } from "effect"
import { Paths, Picture } from "./Generator.ts"

export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

const about = {
  endpoint: Schema.String,
  input: Schema.JsonObject,
  /** Unix milliseconds of the intent. */
  at: Schema.Finite,
  /** By chance, so that no two hands write the same in the same instant, and one takes back the other's. */
  attempt: Schema.optionalKey(Schema.Finite),
  /** How many submits with a lost answer came before this one. */
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
  paths: Schema.optionalKey(Paths)
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

/** One that asked for room this long ago does not hold up who came after it (seconds). */
export const PRESENT = 1
/** One that has not asked again for so long has left the line (seconds). */
export const GONE = 60
/** How much longer than a task may run its request counts as in flight when nobody has touched it (seconds). */
export const ORPHANED = 300

/**
 * Kept beside the message in the broker's Redis for a week, so that a redelivery, a retry or another worker finds it. It knows
 * the fleet's requests in flight: those intended or submitted, whether or not the worker that made them still lives.
 */
export class Journal extends Context.Service<
  Journal,
  {
    readonly find: (taskId: string) => Effect.Effect<Option.Option<Generation>, JournalError>
    /**
     * `advance` to an intent, if the fleet may have one more request in flight (FAL_MAX_CONCURRENT). `"full"` when it may not:
     * who goes on asking gets room in the order of first asking.
     */
    readonly intend: (
      taskId: string,
      previous: Option.Option<Generation>,
      intent: typeof Intended.Type
    ) => Effect.Effect<"written" | "contended" | "full", JournalError>
    /** Writes `next` if what is written is still `previous`; `false`, with nothing changed, when another hand was faster. */
    readonly advance: (
      taskId: string,
      previous: Option.Option<Generation>,
      next: Option.Option<Generation>
    ) => Effect.Effect<boolean, JournalError>
    /** How many generations stand in each state, of those that have not ended without a picture. */
    readonly counts: Effect.Effect<Readonly<Record<State, number>>, JournalError>
    /** It has ended without a picture: no longer in flight, and not among the counts. What is written stays, and forbids another. */
    readonly close: (taskId: string) => Effect.Effect<void, JournalError>
    /** Requests of the whole fleet that fal may be working on. */
    readonly inFlight: Effect.Effect<number, JournalError>
  }
>()("model-generator/services/Journal") {}
