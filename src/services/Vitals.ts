import { Context, Layer } from "effect"

/** What this worker knows of itself while it runs: written by its actors, read by health, metrics and the beat. */
export class Vitals extends Context.Service<
  Vitals,
  {
    /** Tasks ended since the start. */
    processed: number
    /** Names of the tasks in the slots now. */
    readonly running: Set<string>
    /** Why nothing is being taken; "" while the worker consumes. */
    paused: string
    /** Unix milliseconds of the last claim the broker answered, on the connection tasks are taken by. */
    lastLook: number
    /** Unix milliseconds of the last renewal of the lease. */
    lastBeat: number
    /** All slots are taken, so there is no reason to look. */
    full: boolean
  }
>()("model-generator/services/Vitals") {
  static readonly layer = Layer.sync(Vitals, () => ({
    processed: 0,
    running: new Set<string>(),
    paused: "",
    lastLook: 0,
    lastBeat: 0,
    full: false
  }))
}
