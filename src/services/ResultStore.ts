import { Context, type Effect, type Option, Schema } from "effect"

export class ResultStoreError extends Schema.TaggedError<ResultStoreError>()("ResultStoreError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

/** A task's result document as Celery's backend keeps it (celery-wire 4.2). */
export const TaskResult = Schema.Struct({
  task_id: Schema.String,
  status: Schema.String,
  result: Schema.Json,
  traceback: Schema.NullOr(Schema.String),
  children: Schema.NullOr(Schema.Json),
  date_done: Schema.NullOr(Schema.String),
  group_id: Schema.optionalKey(Schema.String),
  parent_id: Schema.optionalKey(Schema.String)
})
export interface TaskResult extends Schema.Schema.Type<typeof TaskResult> {}

/** States after which nothing more comes. */
export const isFinal = (status: string) => status === "SUCCESS" || status === "FAILURE" || status === "REVOKED"

export class ResultStore extends Context.Service<
  ResultStore,
  {
    /** Keeps the document for `RESULT_EXPIRES` and wakes who waits for it. A SUCCESS already stored stays as it is. */
    readonly store: (result: TaskResult) => Effect.Effect<void, ResultStoreError>
    readonly get: (taskId: string) => Effect.Effect<Option.Option<TaskResult>, ResultStoreError>
    /** Waits for the task's final document, however long that takes. */
    readonly awaitFinal: (taskId: string) => Effect.Effect<TaskResult, ResultStoreError>
    /** Keeps a group's structure, so that Python's `GroupResult.restore` finds it. */
    readonly saveGroup: (groupId: string, taskIds: ReadonlyArray<string>) => Effect.Effect<void, ResultStoreError>
    readonly ping: Effect.Effect<void, ResultStoreError>
  }
>()("model-generator/services/ResultStore") {}
