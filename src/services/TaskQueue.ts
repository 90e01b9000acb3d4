import { Context, type Effect, type Option, type Schema } from "effect"
import type { Outgoing } from "./Publisher.ts"
import type { QueueError } from "./QueueError.ts"
import type { ResultStoreError, TaskResult } from "./ResultStore.ts"
import type { Told } from "./TaskLives.ts"

/** One receipt of a message. `raw` is the envelope exactly as it was in the queue. */
export interface Delivery {
  /** Names this receipt alone: an operation on an earlier receipt of the same message cannot touch it. */
  readonly tag: string
  readonly queue: string
  readonly raw: string
  /** The message itself, where its bytes are not UTF-8 and `raw` cannot show them. */
  readonly bytes?: Uint8Array
}

/** A message of more bytes is not read: it is moved to the dead letters as it is. Holds a body of 16 MiB in base64 and more. */
export const MAX_MESSAGE = 24 * 1024 * 1024

/** A message as it has just been taken from a queue. */
export interface Claimed extends Delivery {
  /** Since when it has been seen to wait there, by our clock (Unix milliseconds): later than the truth by a beat at the most. */
  readonly seenSince: number
  /** A worker died while it held this message, so no other may be at risk when it runs: it runs alone. */
  readonly suspect: boolean
  /** The bytes of a message over `MAX_MESSAGE`. It is a dead letter already; `raw` is what it says without its body. */
  readonly tooLarge?: number
}

/** What the step that gives a message up adds to the life of its task. */
export interface Telling {
  readonly told?: Told | undefined
}

/** What is added to a message that is handed back. */
export interface GivenBack extends Telling {
  /** Running it crashed its child, which counts against it. */
  readonly crashed: boolean
  /**
   * What the worker knows of the message's paid request. `null`: there is none. Left out: what the message already says stays.
   */
  readonly generation?: Schema.JsonObject | null | undefined
}

/** Why a message became a dead letter. */
export interface DeadLetter {
  readonly reason: string
  readonly error: string
}

/**
 * Whether the step that gives a message up claims the next one too, as `claim` would. It leaves those for `claim` that must run
 * alone or are too large.
 */
export interface TakesNext extends Telling {
  readonly next?: boolean
}

/**
 * Messages in kombu's layout, as a consumer takes them and gives them back. At every instant a message is in a queue or among the
 * unacknowledged, where a stock Celery worker finds it; each operation here and of `Publisher`, `Lease` and `DeadLetters` is one
 * step, so a crash leaves either all of it or nothing.
 */
export class TaskQueue extends Context.Service<
  TaskQueue,
  {
    /** Waits until a queue may have a message. Takes nothing, so it can be interrupted at any time. */
    readonly awaitMessage: Effect.Effect<void, QueueError>
    /** Moves the most urgent, oldest message to the unacknowledged; `None` when all queues are empty. */
    readonly claim: Effect.Effect<Option.Option<Claimed>, QueueError>
    /**
     * The task has ended. Its `result` is stored before its message is given up: in the same step where one server keeps both,
     * otherwise in a step before. Harmless when the message is no longer held.
     */
    readonly acknowledge: (
      delivery: Delivery,
      options?: TakesNext & { readonly result?: TaskResult | undefined }
    ) => Effect.Effect<Option.Option<Claimed>, QueueError | ResultStoreError>
    /**
     * Gives the message back, next in line. `crashed` counts against it: after three it is not run again. One that could not be
     * given back is no longer held either: a later `Lease.release` gives it back.
     */
    readonly handBack: (delivery: Delivery, options: GivenBack) => Effect.Effect<void, QueueError>
    /** Parks the message among the unacknowledged until `at` (Unix milliseconds); no worker holds it meanwhile. */
    readonly hold: (delivery: Delivery, at: number, options?: TakesNext) => Effect.Effect<Option.Option<Claimed>, QueueError>
    /** Makes parked messages due now, in this order. Harmless for those that are parked no more. */
    readonly bringForward: (tags: ReadonlyArray<string>) => Effect.Effect<void, QueueError>
    /** Puts `next` in the place of the message it repeats, due `at` (Unix milliseconds). */
    readonly retry: (delivery: Delivery, next: Outgoing, at: number, told?: Told) => Effect.Effect<void, QueueError>
    /** Moves the message to the dead letters of its queue. */
    readonly bury: (delivery: Delivery, letter: DeadLetter) => Effect.Effect<void, QueueError>
    /** The queues messages are taken from now: at the start those of the settings. */
    readonly queues: Effect.Effect<ReadonlyArray<string>>
    /** Takes from one queue more from now on. */
    readonly consume: (queue: string) => Effect.Effect<void>
    /** Takes nothing more from it; what is held already stays held. */
    readonly cancel: (queue: string) => Effect.Effect<void>
  }
>()("model-generator/services/TaskQueue") {}
