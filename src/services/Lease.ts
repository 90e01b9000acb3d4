import { Context, type Effect, type Option, Schema } from "effect"
import type { QueueError } from "./QueueError.ts"

/** What a worker tells the others with every heartbeat. */
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
  /** Left out by versions that did not tell it. */
  slots: Schema.optionalKey(Schema.Int),
  consuming: Schema.Boolean,
  doing: Schema.String
})
export interface WorkerInfo extends Schema.Schema.Type<typeof WorkerInfo> {}

/** A message that went back to its queue: its time had come, or who held it is gone. */
export interface Released {
  readonly due: number
  readonly lost: number
  /** How many of the lost messages went to the dead letters, because a crash cannot be counted in them. */
  readonly buried: number
  /** More are to be put back, in a pass of their own. */
  readonly more: boolean
  /** When the next message falls due by our own clock (Unix milliseconds), if one is waiting. */
  readonly nextDue: Option.Option<number>
}

/** What a worker learns without making a pass. */
export interface Seen {
  /** When the next message falls due by our own clock (Unix milliseconds), if one is waiting. */
  readonly nextDue: Option.Option<number>
  /**
   * Something may have to go back that is not due: at the last beat a message was held by another worker, or by this one without
   * its knowing, or one could not be handed back, or one has been with a stock worker for longer than `VISIBILITY_TIMEOUT`.
   */
  readonly suspicious: boolean
}

/** A worker's lease on the messages it holds, and the pass that puts back those whose worker has none any more. */
export class Lease extends Context.Service<
  Lease,
  {
    /** Renews this worker's lease on all it holds. `false` when another worker lives under the same name. */
    readonly beat: (info: WorkerInfo) => Effect.Effect<boolean, QueueError>
    /** Ends this worker's lease, so that others need not wait for it to run out. */
    readonly resign: Effect.Effect<void, QueueError>
    /** Looks whether there is anything for a pass to do, which costs the broker a tenth of a pass. */
    readonly look: Effect.Effect<Seen, QueueError>
    /**
     * One pass, bounded in entries and bytes. It puts back parked messages that are due, messages that dead workers held,
     * messages of a claim of ours whose answer was lost, and messages that we could not hand back earlier. If the dead worker
     * held this message alone, the death counts as a crash of it; if it held more, each of them becomes suspect and runs alone
     * the next time.
     */
    readonly release: Effect.Effect<Released, QueueError>
  }
>()("model-generator/services/Lease") {}
