import { Context, type DateTime, Duration, Effect, Layer } from "effect"
import * as Settings from "../../services/Settings.ts"
import type { TaskEvent } from "../celery/TaskEvent.ts"
import type { PutBack } from "../Task.ts"
import type { BackOff } from "./retryPolicy.ts"

/** What a task's life needs of the worker that it is lived in, beside the services. */
export class Outside extends Context.Service<
  Outside,
  {
    /** Makes the worker take nothing for a while. */
    readonly pause: (reason: PutBack) => Effect.Effect<void>
    /** Tells who listens to the event stream; the event is made only when somebody does. */
    readonly emit: (event: () => TaskEvent) => Effect.Effect<void>
  }
>()("model-generator/programs/worker/Outside") {}

/** The settings that say how tasks are run, read once. */
export class Policy extends Context.Service<
  Policy,
  {
    readonly TASK_SOFT_TIME_LIMIT: Duration.Duration
    readonly TASK_TIME_LIMIT: Duration.Duration
    readonly maxRetries: number
    readonly backOff: BackOff
    /** Of times without an offset. */
    readonly zone: DateTime.TimeZone
    /** Whether STARTED is stored. */
    readonly tracksStarted: boolean
    /** Whether a result also says which task it is of. */
    readonly extendsResults: boolean
  }
>()("model-generator/programs/worker/Policy") {
  static readonly layer = Layer.effect(
    Policy,
    Effect.map(
      Settings.of(
        "TASK_SOFT_TIME_LIMIT",
        "TASK_TIME_LIMIT",
        "TASK_MAX_RETRIES",
        "TASK_RETRY_BACKOFF",
        "TASK_RETRY_BACKOFF_MAX",
        "TASK_TRACK_STARTED",
        "RESULT_EXTENDED",
        "TIMEZONE"
      ),
      (settings) => ({
        TASK_SOFT_TIME_LIMIT: settings.TASK_SOFT_TIME_LIMIT,
        TASK_TIME_LIMIT: settings.TASK_TIME_LIMIT,
        maxRetries: settings.TASK_MAX_RETRIES,
        backOff: {
          first: Duration.toSeconds(settings.TASK_RETRY_BACKOFF),
          longest: Duration.toSeconds(settings.TASK_RETRY_BACKOFF_MAX)
        },
        zone: settings.TIMEZONE,
        tracksStarted: settings.TASK_TRACK_STARTED,
        extendsResults: settings.RESULT_EXTENDED
      })
    )
  )
}
