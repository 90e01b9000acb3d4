import { Duration, Effect, type Schema } from "effect"
import type { Picture } from "../../services/Generator.ts"
import { type Journal, KEEP, ORPHANED } from "../../services/Journal.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import type { RetryLater, Standing } from "../Task.ts"
import { collect, reattach, recall } from "./collect.ts"
import * as Entry from "./Entry.ts"
import { later } from "./putOff.ts"
import { type Order, resubmit, submit } from "./submit.ts"

export interface Bought {
  readonly requestId: string
  readonly picture: Picture
  /** As much as is kept of what was sent, the seed among it. */
  readonly input: Schema.JsonObject
  /** What the order noted, as it was when the picture was bought. Missing where an older worker bought it. */
  readonly note: Schema.JsonObject | undefined
  readonly tookMs: number
}
const bought = Effect.fnUntraced(function* ({ input, note, picture, requestId, tookMs }: Entry.Generated) {
  if (picture.flagged) return yield* TaskFailure.pictureFlagged("fal's safety checker flagged the picture (has_nsfw_concepts)")
  return { requestId, picture, input, note, tookMs } satisfies Bought
})

/** A task that fails is not run again: whatever became of its request, nobody will ask for it. */
const closing = <A, E, R>(effect: Effect.Effect<A, E, R>, payer: Entry.Payer) =>
  Effect.tapError(effect, (error) => (error instanceof TaskFailure.TaskFailure ? Entry.close(payer) : Effect.void))

/** It may say that a picture is paid: no other is bought. A worker of another version may be able to read it, for some retries. */
const unreadable = (requestId: string | null) =>
  later(
    "journal unreadable",
    "the journal's entry of this task cannot be read, and may say that its picture is paid: not asked again " +
      (requestId === null ? "(look for it in fal's history)" : `(fal request ${requestId})`),
    { counted: true, atLeast: 5 }
  )

/**
 * One picture for one task, paid once: what is known of it decides. With a request id it re-attaches and never submits; an
 * intent without one is uncertain, waits its grace and is made again at most once. `beforePaying` runs only when no request was
 * made yet.
 */
export const payOnce = Effect.fn("generation.payOnce")(function* <E, R, E2, R2>(
  payer: Entry.Payer,
  order: Order<E, R>,
  beforePaying: Effect.Effect<void, E2, R2>
) {
  const known = yield* Entry.find(payer)
  switch (known?._tag) {
    case "Unreadable":
      return yield* unreadable(known.requestId)
    case "Generated":
      return yield* bought(known)
    case "Submitted":
      return yield* bought(yield* collect(payer, yield* reattach(payer, known, order)))
    case "Intended":
      return yield* bought(yield* collect(payer, yield* resubmit(payer, known, order)))
    case undefined:
      yield* beforePaying
      return yield* bought(yield* collect(payer, yield* submit(payer, order)))
  }
}, closing)

/** How far a task has got with its purchase. One whose picture may be had by nobody any more has got nowhere. */
export const standing = Effect.fn("generation.standing")(function* (
  payer: Entry.Payer
): Effect.fn.Return<Standing, RetryLater, Journal> {
  const known = yield* Entry.find(payer)
  switch (known?._tag) {
    case undefined:
      return payer.knowledge.another ? "another" : "nothing"
    case "Intended":
      return "asked"
    case "Unreadable":
      return "paid"
    case "Submitted":
    case "Generated":
      if ((yield* Entry.now(payer)) - known.at >= KEEP * 1000) return "nothing"
      return known._tag === "Submitted" ? "paid" : "done"
  }
})

/**
 * After the soft limit: asks fal to cancel, then watches until it has ended one way or the other. `true` when a picture came
 * out of it after all, which is then known.
 */
export const salvage = Effect.fn("generation.salvage")(function* (payer: Entry.Payer) {
  const known = yield* Entry.find(payer)
  switch (known?._tag) {
    case "Generated":
      return true
    case "Submitted":
      return yield* recall(payer, known, "used")
    case "Intended":
      yield* Entry.close(payer)
      return false
    default:
      return false
  }
}, closing)

/** For a task that will not be run again, and whose picture nobody wants: the same, but what comes out of it is wasted. */
export const abandon = Effect.fn("generation.abandon")(function* (payer: Entry.Payer) {
  const metrics = yield* Metrics
  const known = yield* Entry.find(payer)
  switch (known?._tag) {
    case "Intended":
      return yield* Entry.close(payer)
    case "Submitted":
      // No longer than it counts as in flight when nobody looks.
      return yield* Effect.asVoid(Effect.timeoutOption(recall(payer, known, "wasted"), Duration.seconds(ORPHANED)))
    case "Generated":
      if (known.picture.flagged) return
      yield* metrics.count("paid_thrown_away_total", { endpoint: known.endpoint })
      return yield* Effect.logWarning("a picture that was paid for is not delivered", {
        taskId: payer.id,
        requestId: known.requestId,
        picture: known.picture.url.slice(0, 500)
      })
  }
})
