import { Context, type Effect, Schema } from "effect"
import type { QueueError } from "./QueueError.ts"

/** The name of the worker that made the step. */
const by = { by: Schema.String }
/** A worker has given the message up: how long it had waited in its queue before, where that was seen, and how long it was held. */
const attempt = { ...by, waitedMs: Schema.optionalKey(Schema.Finite), heldMs: Schema.Finite }

/** What can happen to a task, as far as it is worth keeping. */
export const LifeEvent = Schema.Union([
  /** A request is about to be made. `resubmits` as in the journal. */
  Schema.TaggedStruct("Intended", { ...by, endpoint: Schema.String, resubmits: Schema.Int }),
  /** fal accepted it. */
  Schema.TaggedStruct("Submitted", { ...by, requestId: Schema.String }),
  /** A request that was known already is waited for again. */
  Schema.TaggedStruct("Resumed", { ...by, requestId: Schema.String }),
  /** fal has said that it does not know the request. */
  Schema.TaggedStruct("Unknown", { ...by, requestId: Schema.String }),
  /** The picture is there. `inferenceMs` is what fal says the work alone took. */
  Schema.TaggedStruct("PictureMade", {
    ...by,
    requestId: Schema.String,
    tookMs: Schema.Finite,
    inferenceMs: Schema.optionalKey(Schema.Finite),
    flagged: Schema.Boolean
  }),
  /** Its bytes are in the media store. */
  Schema.TaggedStruct("PictureStored", { ...by, name: Schema.String, bytes: Schema.Int }),
  /** The request is sure to have cost nothing. */
  Schema.TaggedStruct("Withdrawn", by),
  /** The request has ended without a picture. */
  Schema.TaggedStruct("Closed", by),
  /** The message waits as it is, for so many seconds. */
  Schema.TaggedStruct("Parked", { ...attempt, reason: Schema.String, detail: Schema.String, seconds: Schema.Finite }),
  Schema.TaggedStruct("Retried", {
    ...attempt,
    reason: Schema.String,
    error: Schema.String,
    seconds: Schema.Finite,
    counted: Schema.Boolean
  }),
  Schema.TaggedStruct("HandedBack", { ...attempt, reason: Schema.String, detail: Schema.String }),
  /**
   * The message went back to its queue because the worker that held it is gone. A worker is null where its name is not known. The
   * crash: whether the worker held this message alone, or others too; `none` where it counts against nobody.
   */
  Schema.TaggedStruct("Lost", { worker: Schema.NullOr(Schema.String), crash: Schema.Literals(["none", "alone", "company"]) }),
  Schema.TaggedStruct("Buried", { ...by, reason: Schema.String, error: Schema.String }),
  Schema.TaggedStruct("Redriven", {}),
  Schema.TaggedStruct("Dropped", {}),
  /** The task of this name has ended in this state. `why` is its failure or why it was revoked, `rowId` that of its saved row. */
  Schema.TaggedStruct("Ended", {
    ...attempt,
    task: Schema.optionalKey(Schema.String),
    status: Schema.String,
    why: Schema.optionalKey(Schema.String),
    rowId: Schema.optionalKey(Schema.String)
  })
])
export type LifeEvent = typeof LifeEvent.Type

/** What a step adds to the life of its task. It is written by the command that makes the step, or not at all. */
export interface Told {
  readonly taskId: string
  readonly event: LifeEvent
}

/** An event, or the same wait several times in a row. */
export interface Lived {
  readonly event: LifeEvent
  /** By the broker's clock (Unix milliseconds): the first time, and the last. */
  readonly from: number
  readonly to: number
  readonly times: number
  /** How many events before this one are not kept any more. */
  readonly missing: number
}

/** A task, and what has happened to it last. */
export interface Latest {
  readonly taskId: string
  readonly last: Lived
}

/** Of one life the first events and the last are kept; the others in between are left out. */
export const FIRST = 20
export const LAST = 40
/** An event takes at most so many bytes; a longer one loses the end of its words. */
export const LONGEST = 1200
/** All lives take about this much of the broker's memory (bytes); above it the one that has not changed for longest goes first. */
export const ALTOGETHER = 32 * 1024 * 1024
/** A life is kept for this long after its last event (seconds). */
export const KEEP = 7 * 86_400

/**
 * What became of tasks, for a person who asks. It is kept beside the messages and written by the steps that `TaskQueue` and
 * `Journal` make anyway. Nothing depends on it: it is dropped where it is in the way. A task that pays nothing and goes well
 * leaves nothing here.
 */
export class TaskLives extends Context.Service<
  TaskLives,
  {
    /** The events of a task, the oldest first. Those that only a newer version can read count as missing. */
    readonly of: (taskId: string) => Effect.Effect<ReadonlyArray<Lived>, QueueError>
    /** The tasks to which something has happened last, the newest first, each with its last event: at most `limit`. */
    readonly recent: (limit: number) => Effect.Effect<ReadonlyArray<Latest>, QueueError>
    /** Task ids that begin so and have a life or an entry in the journal, at most `limit`. */
    readonly beginning: (prefix: string, limit: number) => Effect.Effect<ReadonlyArray<string>, QueueError>
  }
>()("model-generator/services/TaskLives") {}
