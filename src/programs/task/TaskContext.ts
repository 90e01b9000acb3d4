import { Clock, type DateTime, Duration, Effect } from "effect"
import { Metrics } from "../../services/Metrics.ts"
import { Publisher } from "../../services/Publisher.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as FollowUps from "../celery/canvas/followUps.ts"
import type { TaskEvent } from "../celery/TaskEvent.ts"
import type { PutBack } from "./Task.ts"
import type { BackOff } from "./retryPolicy.ts"

/** The parts of the worker that a task's steps call, beside the services. */
export interface WorkerHooks {
  /** Pauses the consumer. */
  readonly pause: (reason: PutBack) => Effect.Effect<void>
  /** Publishes an event. The event is built only while events are on. */
  readonly emit: (event: () => TaskEvent) => Effect.Effect<void>
}

/** The settings that say how tasks are run. */
export interface Policy {
  readonly softLimit: Duration.Duration
  readonly hardLimit: Duration.Duration
  readonly maxRetries: number
  readonly backOff: BackOff
  /** The time zone of times that a message gives without an offset. */
  readonly zone: DateTime.TimeZone
  /** `task_track_started`: whether STARTED is stored. */
  readonly tracksStarted: boolean
  /** `result_extended`: whether a result also holds the task's name and arguments. */
  readonly extendsResults: boolean
}

/**
 * Everything around a task that its steps use. It is read from Effect's context once for all tasks of a worker: read by each step,
 * it cost a short task more than the step itself.
 */
export interface TaskContext extends WorkerHooks {
  readonly canvas: FollowUps.FollowUps
  readonly clock: Clock.Clock
  readonly metrics: Metrics["Service"]
  readonly policy: Policy
  readonly queue: TaskQueue["Service"]
  readonly results: ResultStore["Service"]
  readonly vitals: Vitals["Service"]
  readonly worker: WorkerIdentity["Service"]
}

const policy = Effect.map(
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
  (settings): Policy => ({
    softLimit: settings.TASK_SOFT_TIME_LIMIT,
    hardLimit: settings.TASK_TIME_LIMIT,
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

export const makeTaskContext = Effect.fnUntraced(function* (hooks: WorkerHooks) {
  const results = yield* ResultStore
  const context: TaskContext = {
    ...hooks,
    canvas: FollowUps.make(yield* Publisher, results),
    clock: yield* Clock.Clock,
    metrics: yield* Metrics,
    policy: yield* policy,
    queue: yield* TaskQueue,
    results,
    vitals: yield* Vitals,
    worker: yield* WorkerIdentity
  }
  return context
})
