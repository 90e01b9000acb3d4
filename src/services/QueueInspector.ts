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

/** A message of a task, and where it is. */
export interface Found {
  readonly taskId: string
  readonly queue: string
  /** The message without its body. */
  readonly outline: Readonly<Record<string, unknown>>
  readonly where: Waiting | Held | Parked
}
/** The headers of its message, none where that has none. */
export const headersOf = ({ outline }: Found): Readonly<Record<string, unknown>> => {
  const headers = outline["headers"]
  return typeof headers === "object" && headers !== null ? (headers as Readonly<Record<string, unknown>>) : {} // just tested
}

/** So many messages are taken before it, of its own priority. */
export interface Waiting {
  readonly _tag: "Waiting"
  readonly before: number
}
/** A worker has it: null is one of Celery's, or one that is not known any more. */
export interface Held {
  readonly _tag: "Held"
  readonly worker: string | null
}
/** Until then no worker has it (Unix milliseconds, by the broker's clock). */
export interface Parked {
  readonly _tag: "Parked"
  readonly due: number
}

/** The most messages that are looked at for a task. */
export const LOOKED_AT = 20_000

/** Looks at the broker, its queues and its workers, and changes nothing. */
export class QueueInspector extends Context.Service<
  QueueInspector,
  {
    readonly status: Effect.Effect<QueueStatus, QueueError>
    /**
     * Messages of tasks whose id begins so, at most `limit`, among the first `LOOKED_AT` of each queue and of the unacknowledged;
     * `all`: there are no more messages than were looked at.
     */
    readonly find: (
      prefix: string,
      limit: number
    ) => Effect.Effect<{ readonly found: ReadonlyArray<Found>; readonly all: boolean }, QueueError>
    /** The parked messages of this broker, the one that is due first at the front: at most `limit`, and a few megabytes. */
    readonly scheduled: (limit: number) => Effect.Effect<ReadonlyArray<Scheduled>, QueueError>
    readonly ping: Effect.Effect<void, QueueError>
  }
>()("model-generator/services/QueueInspector") {}
