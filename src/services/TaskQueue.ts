import { Context, type Effect, type Option, Schema } from "effect"

/** The broker could not do it. The same call may work later; nothing is half done. */
export class QueueError extends Schema.TaggedError<QueueError>()("QueueError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

/** One receipt of a message: `raw` is the envelope exactly as it lay in the queue. */
export interface Delivery {
  /** Of this receipt alone: what is said of an earlier one, late or again, cannot touch it. */
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

/** A message to be put on a queue: the whole envelope, under the tag its own properties carry. */
export interface Outgoing {
  readonly tag: string
  readonly queue: string
  /** 0 to 9 as Celery counts them: 0 is taken first. */
  readonly priority: number
  readonly raw: string
}

/** What a message that is given back says more than it did. */
export interface GivenBack {
  /** It took its child with it, which counts against it. */
  readonly crashed: boolean
  /** What its worker knows of the request it pays for. `null`: that there is none. Left out: what the message says already. */
  readonly generation?: Schema.JsonObject | null | undefined
}

/** Something that is done once: for whom, and with which arguments. An id that is used again with others has it done again. */
export interface Once {
  readonly key: string
  readonly digest: string
}

/** Why a message was put aside for a person to look at. */
export interface DeadLetter {
  readonly reason: string
  readonly error: string
}

/** A message that went back to its queue: its time had come, or who held it is gone. */
export interface Released {
  readonly due: number
  readonly lost: number
  /** Of those lost: moved to the dead letters, because a crash cannot be counted in them. */
  readonly buried: number
  /** More are to be put back, in a pass of their own. */
  readonly more: boolean
  /** When the next message falls due by our own clock (Unix milliseconds), if one is waiting. */
  readonly nextDue: Option.Option<number>
}

export interface QueueDepth {
  readonly queue: string
  /** Waiting messages by priority step: 0, 3, 6, 9. */
  readonly ready: Readonly<Record<"0" | "3" | "6" | "9", number>>
  readonly dead: number
  /** Seconds the oldest of them has been seen to wait: less than the truth by a beat at the most. */
  readonly oldestSeconds: Option.Option<number>
}

/** What a worker tells the others of itself with every beat. */
export const WorkerInfo = Schema.Struct({
  name: Schema.String,
  boot: Schema.String,
  host: Schema.String,
  pid: Schema.Int,
  /** Left out by versions that did not tell it. */
  machine: Schema.optionalKey(Schema.String),
  version: Schema.String,
  queues: Schema.Array(Schema.String),
  startedAt: Schema.Finite,
  metrics: Schema.String,
  processed: Schema.Int,
  consuming: Schema.Boolean,
  doing: Schema.String
})
export interface WorkerInfo extends Schema.Schema.Type<typeof WorkerInfo> {}

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

/** A dead letter. */
export interface Buried {
  /** Made from the letter, so it names this one and no other. */
  readonly id: string
  readonly queue: string
  /** The letter; of a long one what it says beside its message, and "" when it is a bare message. */
  readonly text: string
  readonly bytes: number
  /** Where it lies, counted from the oldest. */
  readonly at: number
}

/** A message in nobody's hands until its time comes (Unix milliseconds). */
export interface Scheduled {
  readonly delivery: Delivery
  readonly due: number
}

/**
 * Messages in kombu's layout. At every instant a message is in a queue or among the unacknowledged, where a stock Celery
 * worker finds it; each operation below is one step, so a crash leaves either all of it or nothing.
 */
export class TaskQueue extends Context.Service<
  TaskQueue,
  {
    /** Waits until a queue may have a message. Takes nothing, so it can be interrupted at any time. */
    readonly awaitMessage: Effect.Effect<void, QueueError>
    /** Moves the most urgent, oldest message to the unacknowledged; `None` when all queues are empty. */
    readonly claim: Effect.Effect<Option.Option<Claimed>, QueueError>
    /** The task has ended and its result is stored. Harmless when the message is no longer held. */
    readonly acknowledge: (delivery: Delivery) => Effect.Effect<void, QueueError>
    /**
     * Gives the message back, next in line. `crashed` counts against it: after three it is not run again. One that could not be
     * given back is no longer held either: a later `release` gives it back.
     */
    readonly handBack: (delivery: Delivery, options: GivenBack) => Effect.Effect<void, QueueError>
    /** Keeps the message among the unacknowledged, in nobody's hands, until `at` (Unix milliseconds). */
    readonly hold: (delivery: Delivery, at: number) => Effect.Effect<void, QueueError>
    /** Makes parked messages due now, in this order. Harmless for those that are parked no more. */
    readonly hasten: (tags: ReadonlyArray<string>) => Effect.Effect<void, QueueError>
    /** Puts `next` in the place of the message it repeats, due `at` (Unix milliseconds). */
    readonly retry: (delivery: Delivery, next: Outgoing, at: number) => Effect.Effect<void, QueueError>
    /** Moves the message to the dead letters of its queue. */
    readonly bury: (delivery: Delivery, letter: DeadLetter) => Effect.Effect<void, QueueError>
    readonly publish: (messages: ReadonlyArray<Outgoing>) => Effect.Effect<void, QueueError>
    /**
     * Publishes all of them, once however often it is called for the same, and keeps `note` with it for a week. Returns the note of
     * the call that published.
     */
    readonly publishOnce: (once: Once, note: string, messages: ReadonlyArray<Outgoing>) => Effect.Effect<string, QueueError>
    /** Renews this worker's lease on all it holds. `false` when another worker lives under the same name. */
    readonly beat: (info: WorkerInfo) => Effect.Effect<boolean, QueueError>
    /** Ends this worker's lease, so that others need not wait for it to run out. */
    readonly resign: Effect.Effect<void, QueueError>
    /**
     * One pass, bounded in entries and bytes: puts back what is due, what dead workers held, what a claim of ours took whose answer
     * never came, and what could not be handed back when it was to be. A death of a worker that held nothing else counts as a
     * crash of the message; of one that held more, each becomes suspect and will run alone.
     */
    readonly release: Effect.Effect<Released, QueueError>
    /** The queues messages are taken from now: at the start those of the settings. */
    readonly queues: Effect.Effect<ReadonlyArray<string>>
    /** Takes from one queue more from now on. */
    readonly consume: (queue: string) => Effect.Effect<void>
    /** Takes nothing more from it; what is held already stays held. */
    readonly cancel: (queue: string) => Effect.Effect<void>
    /** What waits for its time anywhere on this broker, the soonest first, at most so many, and a few megabytes of them. */
    readonly scheduled: (limit: number) => Effect.Effect<ReadonlyArray<Scheduled>, QueueError>
    /** The dead letters of the queues taken from, the newest first, at most so many. */
    readonly buried: (limit: number) => Effect.Effect<ReadonlyArray<Buried>, QueueError>
    /** A dead letter in full. */
    readonly letter: (letter: Buried) => Effect.Effect<Option.Option<string>, QueueError>
    /** Puts its message back on its queue, with its crashes forgotten; `false` when the letter is no longer there. */
    readonly redrive: (letter: Buried) => Effect.Effect<boolean, QueueError>
    /** Forgets a dead letter for good; `false` when it is no longer there. */
    readonly drop: (letter: Buried) => Effect.Effect<boolean, QueueError>
    readonly status: Effect.Effect<QueueStatus, QueueError>
    readonly ping: Effect.Effect<void, QueueError>
  }
>()("model-generator/services/TaskQueue") {}
