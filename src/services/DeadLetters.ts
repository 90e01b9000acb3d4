import { Context, type Effect, type Option } from "effect"
import type { QueueError } from "./QueueError.ts"

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

/** The messages that were put aside for a person to look at. */
export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    /** The dead letters of the queues taken from, the newest first, at most so many. */
    readonly list: (limit: number) => Effect.Effect<ReadonlyArray<Buried>, QueueError>
    /** A dead letter in full. */
    readonly read: (letter: Buried) => Effect.Effect<Option.Option<string>, QueueError>
    /** Puts its message back on its queue, with its crashes forgotten; `false` when the letter is no longer there. */
    readonly redrive: (letter: Buried) => Effect.Effect<boolean, QueueError>
    /** Forgets a dead letter for good; `false` when it is no longer there. */
    readonly drop: (letter: Buried) => Effect.Effect<boolean, QueueError>
  }
>()("model-generator/services/DeadLetters") {}
