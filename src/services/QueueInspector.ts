import { Context, type Effect, type Option } from "effect"
import type { WorkerInfo } from "./Lease.ts"
import type { QueueError } from "./QueueError.ts"
import type { Delivery } from "./TaskQueue.ts"

/** The priority steps, each a list of its own: 0 is taken first. */
export const PRIORITIES = ["0", "3", "6", "9"] as const
export type Priority = (typeof PRIORITIES)[number]

export interface QueueDepth {
  readonly queue: string
  /** Messages that wait. */
  readonly ready: Readonly<Record<Priority, number>>
  readonly dead: number
  /** Seconds the oldest of them has been seen to wait: less than the truth by a beat at the most. */
  readonly oldestSeconds: Option.Option<number>
}

export interface QueueStatus {
  readonly queues: ReadonlyArray<QueueDepth>
  readonly unacknowledged: number
  readonly scheduled: number
  /** How far our clock is ahead of the broker's. */
  readonly clockAheadSeconds: number
  readonly workers: ReadonlyArray<
    WorkerInfo & { readonly alive: boolean; readonly beatSecondsAgo: number; readonly holds: number }
  >
}

/** A parked message: no worker holds it until it is due (Unix milliseconds). */
export interface Scheduled {
  readonly delivery: Delivery
  readonly due: number
}

/** Looks at the broker, its queues and its workers, and changes nothing. */
export class QueueInspector extends Context.Service<
  QueueInspector,
  {
    readonly status: Effect.Effect<QueueStatus, QueueError>
    /** The parked messages of this broker, the one that is due first at the front: at most `limit`, and a few megabytes. */
    readonly scheduled: (limit: number) => Effect.Effect<ReadonlyArray<Scheduled>, QueueError>
    readonly ping: Effect.Effect<void, QueueError>
  }
>()("model-generator/services/QueueInspector") {}
