import { Duration, Effect, type Schema } from "effect"
import type { Cost } from "../../../services/Catalogue.ts"
import type { Picture } from "../../../services/Generator.ts"
import { type Journal, KEEP, ORPHANED, seedOf } from "../../../services/Journal.ts"
import { Metrics } from "../../../services/Metrics.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import type { RetryLater, Standing } from "../../task/Task.ts"
import { accounted, displaced, owe, settled } from "./account.ts"
import { costOfRequest } from "./charged.ts"
import { collect, reattach, cancelAndWatch } from "./collect.ts"
import * as Entry from "./JournalEntry.ts"
import { later } from "./retryLater.ts"
import { resubmit, submit, type Wanted } from "./submit.ts"

export interface Bought {
  /** What the journal knows of it. */
  readonly generated: Entry.Generated
  readonly requestId: string
  readonly picture: Picture
  /** The seed that the provider reports, else the request's. */
  readonly seed: number | null
  /** The task's note from the time of the purchase. Absent if an older worker bought the picture. */
  readonly note: Schema.JsonObject | undefined
  readonly tookMs: number
  /** undefined for a model whose price is not known. */
  readonly cost: Cost | undefined
}
const bought = Effect.fnUntraced(function* (generated: Entry.Generated) {
  const { note, picture, requestId, tookMs } = generated
  if (picture.flagged) return yield* TaskFailure.pictureFlagged("fal's safety checker flagged the picture (has_nsfw_concepts)")
  const cost = yield* costOfRequest(generated, picture.billableUnits)
  const seed = picture.seed ?? seedOf(generated) ?? null
  return { generated, requestId, picture, seed, note, tookMs, cost } satisfies Bought
})

/**
 * A task that has failed is not run again, so its request is accounted for, and then its journal entry is closed: its request no
 * longer counts as in flight.
 */
const closing = <A, E, R>(effect: Effect.Effect<A, E, R>, payer: Entry.Payer) =>
  Effect.tapError(effect, (error) =>
    error instanceof TaskFailure.TaskFailure ? Effect.andThen(accounted(payer), Entry.close(payer)) : Effect.void
  )

/** What follows a purchase: if the task fails after all, its picture is wasted. */
export const delivering = <A, E, R>(payer: Entry.Payer, effect: Effect.Effect<A, E, R>) =>
  Effect.tapError(effect, (error) => (error instanceof TaskFailure.TaskFailure ? accounted(payer) : Effect.void))

/**
 * The unreadable entry may say that a picture is paid, so none is bought. The retries give a worker of another version time to
 * read it.
 */
const unreadable = (requestId: string | null) =>
  later(
    "journal unreadable",
    "the journal's entry of this task cannot be read, and may say that its picture is paid: not asked again " +
      (requestId === null ? "(look for it in fal's history)" : `(fal request ${requestId})`),
    { counted: true, atLeast: 5 }
  )

/**
 * One picture for one task, paid once. The journal's entry decides: a known request id is waited for and never submitted again;
 * an intent without a request id is uncertain, waits its grace and is made again at most once. `beforePaying` runs only before
 * the first request.
 */
export const payOnce = Effect.fn("generation.payOnce")(function* <E, R, E2, R2>(
  payer: Entry.Payer,
  wanted: Effect.Effect<Wanted, E, R>,
  beforePaying: Effect.Effect<void, E2, R2>
) {
  const mine = payer.knowledge.generation ?? undefined
  const known = yield* Entry.find(payer)
  if (mine !== undefined && known !== undefined && known._tag !== "Unreadable") yield* displaced(payer, mine, known)
  switch (known?._tag) {
    case "Unreadable":
      return yield* unreadable(known.requestId)
    case "Generated":
      return yield* bought(known)
    case "Submitted":
      return yield* bought(yield* collect(payer, yield* reattach(payer, known, wanted)))
    case "Intended":
      return yield* bought(yield* collect(payer, yield* resubmit(payer, known, wanted)))
    case undefined:
      yield* beforePaying
      return yield* bought(yield* collect(payer, yield* submit(payer, wanted)))
  }
}, closing)

/** How far a task has got with its purchase. `nothing` again once fal no longer keeps the picture. */
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
export const afterSoftLimit = Effect.fn("generation.afterSoftLimit")(function* (payer: Entry.Payer) {
  const known = yield* Entry.find(payer)
  switch (known?._tag) {
    case "Generated":
      return true
    case "Submitted":
      return yield* cancelAndWatch(payer, known, "used")
    case "Intended":
      yield* accounted(payer)
      yield* Entry.close(payer)
      return false
    default:
      return false
  }
}, closing)

/** For a task that will not be run again: cancels its request, and counts a picture that comes all the same as wasted. */
export const abandon = Effect.fn("generation.abandon")(function* (payer: Entry.Payer) {
  const metrics = yield* Metrics
  const known = yield* Entry.find(payer)
  switch (known?._tag) {
    case undefined:
      return yield* settled(payer)
    case "Unreadable":
      return
    case "Intended":
      yield* accounted(payer)
      yield* Entry.close(payer)
      return yield* settled(payer)
    case "Submitted":
      // After this time an unwatched request no longer counts as in flight. Whoever takes up the debt looks at it again.
      yield* Effect.timeoutOption(cancelAndWatch(payer, known, "wasted"), Duration.seconds(ORPHANED))
      if (yield* accounted(payer)) yield* settled(payer)
      return
    case "Generated":
      yield* accounted(payer)
      yield* settled(payer)
      if (known.picture.flagged) return
      yield* metrics.count("paid_thrown_away_total", { endpoint: known.endpoint })
      return yield* Effect.logWarning("a picture that was paid for is not delivered", {
        taskId: payer.id,
        requestId: known.requestId,
        picture: known.picture.url.slice(0, 500)
      })
  }
})

/** The part that every program that buys by `payOnce` shares: a program is this, its name and its run. */
export const buying = { waits: true, afterSoftLimit, owe, abandon, standing } as const
