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

/** Messages that no worker will run again until a person has looked at them. */
export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    /** The newest dead letters of this worker's queues, at most `limit` in all. */
    readonly list: (limit: number) => Effect.Effect<ReadonlyArray<Buried>, QueueError>
    /** A dead letter in full. */
    readonly read: (letter: Buried) => Effect.Effect<Option.Option<string>, QueueError>
    /** Puts the letter's message back on its queue with its crash count reset. `false` when the letter is no longer there. */
    readonly redrive: (letter: Buried) => Effect.Effect<boolean, QueueError>
    /** Deletes a dead letter. `false` when it is no longer there. */
    readonly drop: (letter: Buried) => Effect.Effect<boolean, QueueError>
  }
>()("model-generator/services/DeadLetters") {}
