import type { DateTime, Effect } from "effect"
import type { Fleet } from "../../services/Fleet.ts"
import type { QueueInspector } from "../../services/QueueInspector.ts"
import type { TaskQueue } from "../../services/TaskQueue.ts"
import type { Vitals } from "../../services/Vitals.ts"
import type { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import type { Events } from "./Events.ts"
import type { Gossip } from "./gossip.ts"
import type { Lamport } from "./Lamport.ts"
import type { Autoscaler } from "../runtime/Autoscaler.ts"

/** The tasks this worker knows, by every name they answer to. */
export type Known = ReadonlyMap<string, { readonly name: string }>

/** All that a command may look at or change. */
export interface ControlledWorker {
  readonly me: WorkerIdentity["Service"]
  readonly vitals: Vitals["Service"]
  readonly queue: TaskQueue["Service"]
  readonly inspector: QueueInspector["Service"]
  readonly fleet: Fleet
  readonly events: Events
  readonly gossip: Gossip
  readonly lamport: Lamport
  readonly known: Known
  readonly pool: ControlledPool
  /** Changes the pool's size by load, if WORKER_AUTOSCALE is set. */
  readonly autoscaler: Autoscaler | undefined
  readonly limits: Limits
  /** The zone of times without an offset in messages. */
  readonly timezone: DateTime.TimeZone
  /** How its queues are bound that are not bound as themselves. */
  readonly bindings: Map<string, { readonly exchange: string; readonly type: string; readonly routingKey: string }>
  /** Rate limits as they were ordered, for `inspect`. */
  readonly rates: Map<string, string>
  /** Settings under Celery's names, without a secret in them. */
  readonly conf: { readonly changed: Readonly<Record<string, unknown>>; readonly all: Readonly<Record<string, unknown>> }
  readonly broker: Readonly<Record<string, unknown>>
  /** A warm stop, as by SIGTERM. */
  readonly stop: Effect.Effect<void>
}

export interface ControlledPool {
  readonly size: () => number
  readonly done: () => ReadonlyArray<number>
  /** Children more, or fewer when below 0; never fewer than one nor more than the most. */
  readonly resize: (by: number) => Effect.Effect<boolean>
  /** Replaces every child as soon as it has done its job. */
  readonly renew: Effect.Effect<void>
}

export interface Limits {
  readonly soft: number
  readonly hard: number
  readonly retries: number
  readonly quota: number
  readonly prefetch: number
}

/** Every name of the task that is known by this one. */
export const aliases = (known: Known, name: string): ReadonlyArray<string> => {
  const task = known.get(name)
  return task === undefined ? [] : [...known].filter(([, other]) => other === task).map(([alias]) => alias)
}
