import { Context, type Effect } from "effect"
import type { QueueError } from "./QueueError.ts"

/** A message to be put on a queue: the whole envelope, under the tag its own properties carry. */
export interface Outgoing {
  readonly tag: string
  readonly queue: string
  /** 0 to 9 as Celery counts them: 0 is taken first. */
  readonly priority: number
  readonly raw: string
}

/** Something that is done once: for whom, and with which arguments. An id that is used again with others has it done again. */
export interface Once {
  readonly key: string
  readonly digest: string
}

/** Puts messages on queues, as any client of Celery does: each call is one step, all of it or nothing. */
export class Publisher extends Context.Service<
  Publisher,
  {
    readonly publish: (messages: ReadonlyArray<Outgoing>) => Effect.Effect<void, QueueError>
    /**
     * Publishes all of them, once however often it is called for the same, and keeps `note` with it for a week. Returns the note
     * of the call that published.
     */
    readonly publishOnce: (once: Once, note: string, messages: ReadonlyArray<Outgoing>) => Effect.Effect<string, QueueError>
  }
>()("model-generator/services/Publisher") {}
