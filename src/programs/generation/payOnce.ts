import { Duration, Effect, type Schema } from "effect"
import type { Picture } from "../../services/Generator.ts"
import { ORPHANED } from "../../services/Journal.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { collect, recall } from "./collect.ts"
import * as Entry from "./Entry.ts"
import { type Payer, resubmit, submit } from "./submit.ts"

export interface Bought {
  readonly requestId: string
  readonly picture: Picture
  /** The seed that was sent. */
  readonly input: Schema.JsonObject
  readonly tookMs: number
}
const bought = Effect.fnUntraced(function* ({ input, picture, requestId, tookMs }: Entry.Generated) {
  if (picture.flagged) return yield* TaskFailure.pictureFlagged("fal's safety checker flagged the picture (has_nsfw_concepts)")
  return { requestId, picture, input, tookMs } satisfies Bought
})

/** A task that fails is not run again: whatever became of its request, nobody will ask for it. */
const closing = <A, E, R>(effect: Effect.Effect<A, E, R>, { id }: Payer) =>
  Effect.tapError(effect, (error) => (error instanceof TaskFailure.TaskFailure ? Entry.close(id) : Effect.void))

/**
 * One picture for one task, paid once: what the journal knows decides. With a request id it re-attaches and never submits;
 * an intent without one is uncertain, waits its grace and is made again at most once. `beforePaying` runs only when no
 * request was made yet.
 */
export const payOnce = Effect.fn("generation.payOnce")(function* <E, R>(
  task: Payer,
  endpoint: string,
  input: Schema.JsonObject,
  beforePaying: Effect.Effect<void, E, R>
) {
  const metrics = yield* Metrics
  const found = yield* Entry.find(task.id)
  switch (found?._tag) {
    case "Generated":
      return yield* bought(found)
    case "Submitted":
      yield* metrics.count("generations_reattached_total", {})
      yield* Entry.advance(task.id, found, found) // in flight again, if it had been forgotten
      return yield* bought(yield* collect(task.id, found))
    case "Intended":
      return yield* bought(yield* collect(task.id, yield* resubmit(task, found)))
    case undefined:
      yield* beforePaying
      return yield* bought(yield* collect(task.id, yield* submit(task, endpoint, input)))
  }
}, closing)

/**
 * After the soft limit: asks fal to cancel, then watches until it has ended one way or the other. `true` when a picture came
 * out of it after all, which is then in the journal.
 */
export const salvage = Effect.fn("generation.salvage")(function* ({ id }: Payer) {
  const found = yield* Entry.find(id)
  if (found?._tag === "Generated") return true
  if (found?._tag === "Submitted") return yield* recall(id, found, "used")
  if (found !== undefined) yield* Entry.close(id)
  return false
}, closing)

/** For a task that will not be run again, and whose picture nobody wants: the same, but what comes out of it is wasted. */
export const abandon = Effect.fn("generation.abandon")(function* ({ id }: Payer) {
  const found = yield* Entry.find(id)
  if (found?._tag === "Intended") return yield* Entry.close(id)
  // No longer than it counts as in flight when nobody looks.
  if (found?._tag === "Submitted") yield* Effect.timeoutOption(recall(id, found, "wasted"), Duration.seconds(ORPHANED))
})
