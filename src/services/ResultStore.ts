import { Context, type Effect, type Option, Schema } from "effect"

export class ResultStoreError extends Schema.TaggedError<ResultStoreError>()("ResultStoreError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

/** Any value of Python's JSON, which has more numbers than JSON: only shown and sent on. */
const Value = Schema.declare((value): value is Schema.Json => value !== undefined)

/**
 * A task's result document as Celery's backend keeps it. `result_extended` adds what was asked for, and more that is written and
 * never read here.
 */
export const TaskResult = Schema.Struct({
  task_id: Schema.String,
  status: Schema.String,
  result: Value,
  traceback: Schema.NullOr(Schema.String),
  children: Schema.NullOr(Schema.Json),
  date_done: Schema.NullOr(Schema.String),
  group_id: Schema.optionalKey(Schema.String),
  parent_id: Schema.optionalKey(Schema.String),
  name: Schema.optionalKey(Schema.Unknown),
  args: Schema.optionalKey(Schema.Unknown),
  kwargs: Schema.optionalKey(Schema.Unknown)
})
export interface TaskResult extends Schema.Schema.Type<typeof TaskResult> {}

/** How one header task of a chord ended. */
export interface ChordPart {
  readonly taskId: string
  readonly status: string
  /** Its value, or the exception document; written by any worker, so anything Python's JSON can say. */
  readonly result: unknown
}

/** Python's `[[id, parent], children]`: a task has no children, a group lists its members. */
export interface ResultTuple {
  readonly id: string
  readonly parent: ResultTuple | null
  readonly children: ReadonlyArray<ResultTuple> | null
}

/** States after which nothing more comes. */
export const isFinal = (status: string) => status === "SUCCESS" || status === "FAILURE" || status === "REVOKED"

/**
 * Whether `next` may replace the stored state. A success always stays. Another final state is replaced only by a final state:
 * either the task is run again, or the writer was frozen and another worker has run its task.
 */
export const givesWay = (stored: string, next: string) => stored !== "SUCCESS" && (isFinal(next) || !isFinal(stored))

export class ResultStore extends Context.Service<
  ResultStore,
  {
    /** Keeps the document for `RESULT_EXPIRES` and wakes who waits for it, where the one already stored `givesWay` to it. */
    readonly store: (result: TaskResult) => Effect.Effect<void, ResultStoreError>
    readonly get: (taskId: string) => Effect.Effect<Option.Option<TaskResult>, ResultStoreError>
    /** Waits for the task's final document, however long that takes. */
    readonly awaitFinal: (taskId: string) => Effect.Effect<TaskResult, ResultStoreError>
    /** Keeps a group's structure, so that Python's `GroupResult.restore` finds it. */
    readonly saveGroup: (groupId: string, taskIds: ReadonlyArray<string>) => Effect.Effect<void, ResultStoreError>
    /** Keeps a group whose members may be groups themselves. */
    readonly saveGroupTree: (group: ResultTuple) => Effect.Effect<void, ResultStoreError>
    readonly loadGroup: (groupId: string) => Effect.Effect<Option.Option<ResultTuple>, ResultStoreError>
    /** How many header tasks must end before the body of the chord `groupId` is sent. */
    readonly setChordSize: (groupId: string, size: number) => Effect.Effect<void, ResultStoreError>
    /**
     * Notes that a header task has ended; gives all parts, in the order of the header, when none is missing any more. A task
     * counts once: its success stays, anything else gives way to what comes later. `index` null comes last.
     */
    readonly addChordPart: (
      groupId: string,
      index: number | null,
      part: ChordPart
    ) => Effect.Effect<Option.Option<ReadonlyArray<ChordPart>>, ResultStoreError>
    /** Deletes the parts of a chord once its body has been sent. */
    readonly dropChord: (groupId: string) => Effect.Effect<void, ResultStoreError>
    readonly ping: Effect.Effect<void, ResultStoreError>
  }
>()("model-generator/services/ResultStore") {}
