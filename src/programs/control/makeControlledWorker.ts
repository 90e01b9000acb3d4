import { Duration, Effect } from "effect"
import { Fleet } from "../../services/Fleet.ts"
import { QueueInspector } from "../../services/QueueInspector.ts"
import * as Settings from "../../services/Settings.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { conf } from "./conf.ts"
import type { ControlledPool, ControlledWorker } from "./ControlledWorker.ts"

/** A pool whose size can be changed. */
interface Resizable extends Omit<ControlledPool, "resize"> {
  readonly resize: (by: number) => Effect.Effect<void>
}

export const makeControlledWorker = Effect.fnUntraced(function* (
  parts: Pick<ControlledWorker, "events" | "gossip" | "lamport" | "known" | "stop" | "autoscaler"> & { readonly pool: Resizable }
) {
  const settings = yield* Settings.of(
    "TASK_SOFT_TIME_LIMIT",
    "TASK_TIME_LIMIT",
    "TASK_MAX_RETRIES",
    "WORKER_MAX_TASKS_PER_CHILD",
    "WORKER_PREFETCH_MULTIPLIER",
    "TIMEZONE"
  )
  const { pool, ...given } = parts
  const shown = yield* conf
  const worker: ControlledWorker = {
    ...given,
    me: yield* WorkerIdentity,
    vitals: yield* Vitals,
    queue: yield* TaskQueue,
    inspector: yield* QueueInspector,
    fleet: yield* Fleet,
    limits: {
      soft: Duration.toSeconds(settings.TASK_SOFT_TIME_LIMIT),
      hard: Duration.toSeconds(settings.TASK_TIME_LIMIT),
      retries: settings.TASK_MAX_RETRIES,
      quota: settings.WORKER_MAX_TASKS_PER_CHILD,
      prefetch: settings.WORKER_PREFETCH_MULTIPLIER
    },
    timezone: settings.TIMEZONE,
    bindings: new Map(),
    rates: new Map(),
    conf: shown,
    broker: shown.broker,
    pool: {
      size: pool.size,
      done: pool.done,
      renew: pool.renew,
      resize: Effect.fnUntraced(function* (by) {
        const size = pool.size() + by
        if (size < 1 || size > Settings.MOST_CHILDREN) return false
        yield* pool.resize(by)
        return true
      })
    }
  }
  return worker
})
