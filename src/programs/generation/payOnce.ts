import { Clock, Effect, Option, Schedule, type Schema } from "effect"
import { type AccountProblem, Generator, type GeneratorError, type Picture, type Ticket } from "../../services/Generator.ts"
import { type Generation, Journal, type JournalError } from "../../services/Journal.ts"
import { Metrics } from "../../services/Metrics.ts"
import { costOf } from "../commands/price.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { type Failure, PutBack, RetryLater } from "../Task.ts"
import { makeUsual, type Usual, waitUntilEnded } from "./wait.ts"

/** How long a submit whose answer was lost is given to show itself before it may be made again (seconds). */
const UNCERTAIN_GRACE = 60
const MAX_RESUBMITS = 1

const usual = makeUsual()
/** For a request that was asked to stop: there is no usual time, and it teaches nothing about one. */
const impatient: Usual = { of: () => 0, sure: () => false, saw: () => {} }

type Submitted = Extract<Generation, { readonly _tag: "Submitted" }>
type Generated = Extract<Generation, { readonly _tag: "Generated" }>

export interface Bought {
  readonly requestId: string
  readonly picture: Picture
  /** The seed that was sent. */
  readonly input: Schema.JsonObject
  readonly tookMs: number
}

const later = (reason: string, detail: string, options: { readonly counted: boolean; readonly atLeast?: number }) =>
  new RetryLater({
    reason,
    failure: TaskFailure.generationError(detail),
    counted: options.counted,
    atLeast: options.atLeast ?? 0
  })
const journalAway = (error: JournalError) =>
  later("journal", `the journal cannot be reached (${error.operation})`, { counted: false })
const contended = later("contended", "another worker has this generation in hand", { counted: false, atLeast: 5 })
const pause = (problem: AccountProblem) =>
  new PutBack({ reason: "fal account", detail: `fal answered ${problem.status}: ${problem.detail}` })

const advance = Effect.fnUntraced(function* (taskId: string, from: Generation | undefined, to: Generation | undefined) {
  const journal = yield* Journal
  const moved = yield* journal.advance(taskId, Option.fromNullishOr(from), Option.fromNullishOr(to)).pipe(
    // Losing a request id costs money, so this is worth insisting on.
    Effect.retry(Schedule.max([Schedule.exponential("100 millis"), Schedule.recurs(8)])),
    Effect.mapError(journalAway)
  )
  if (!moved) return yield* contended
})

const reasonOf = (error: GeneratorError) => error.reason

/** Intent, one POST, request id: nothing can come between the last two but the death of the process. */
const submit = Effect.fn("generation.submit")(function* (
  taskId: string,
  before: Generation | undefined,
  endpoint: string,
  input: Schema.JsonObject,
  resubmits: number
) {
  const generator = yield* Generator
  const metrics = yield* Metrics
  const intended = { _tag: "Intended", endpoint, input, at: yield* Clock.currentTimeMillis, resubmits } as const
  yield* advance(taskId, before, intended)
  return yield* generator.submit(endpoint, input).pipe(
    Effect.flatMap((ticket) => {
      const submitted = { ...intended, _tag: "Submitted", requestId: ticket.requestId } as const
      return Effect.as(advance(taskId, intended, submitted), submitted)
    }),
    Effect.catchTag(
      "GeneratorError",
      Effect.fnUntraced(function* (error): Effect.fn.Return<never, Failure, Journal> {
        const { reason } = error
        if (reason._tag === "Uncertain") {
          yield* metrics.count("generations_uncertain_total", {})
          yield* Effect.logWarning("fal's answer to a submit was lost: it may be paid already", { taskId, detail: reason.detail })
          return yield* later("uncertain", `fal's answer to the submit was lost: ${reason.detail}`, {
            counted: false,
            atLeast: UNCERTAIN_GRACE
          })
        }
        yield* advance(taskId, intended, before)
        if (reason._tag === "AccountProblem") return yield* pause(reason)
        if (reason._tag === "Refused") return yield* TaskFailure.contentRefused(reason.detail)
        return yield* later("fal busy", `fal: ${reason.detail}`, { counted: true })
      })
    ),
    Effect.uninterruptible
  )
})

const bought = (entry: Generated): Bought => ({
  requestId: entry.requestId,
  picture: entry.picture,
  input: entry.input,
  tookMs: entry.tookMs
})
const ticketOf = (submitted: Submitted): Ticket => ({ endpoint: submitted.endpoint, requestId: submitted.requestId })

/** The picture of a request that has ended, written down as paid. */
const collect = Effect.fn("generation.collect")(function* (taskId: string, submitted: Submitted, tookMs: number) {
  const generator = yield* Generator
  const metrics = yield* Metrics
  const picture = yield* generator.result(ticketOf(submitted)).pipe(
    Effect.retry({
      while: (error) => error.reason._tag === "Unreachable",
      schedule: Schedule.max([Schedule.exponential("200 millis"), Schedule.recurs(5)])
    })
  )
  const labels = { endpoint: submitted.endpoint, use: picture.flagged ? "wasted" : "used" }
  const units = picture.billableUnits ?? 1
  yield* metrics.count("billable_units_total", labels, units)
  const price = costOf(submitted.endpoint, 1).per_picture
  if (price !== null) yield* metrics.count("spent_dollars_total", labels, units * price)
  if (picture.flagged) return yield* TaskFailure.pictureFlagged("fal's safety checker flagged the picture (has_nsfw_concepts)")
  const generated = { ...submitted, _tag: "Generated", picture, tookMs } as const
  yield* advance(taskId, submitted, generated)
  yield* metrics.count("generations_total", { outcome: "picture" })
  return generated
})

/** How a request that fal accepted can end other than in a picture. */
const endedBadly = (taskId: string, submitted: Submitted) =>
  Effect.fnUntraced(function* (error: GeneratorError): Effect.fn.Return<never, Failure, Journal | Metrics> {
    const metrics = yield* Metrics
    const reason = reasonOf(error)
    yield* metrics.count("generations_total", { outcome: reason._tag })
    switch (reason._tag) {
      case "Refused":
        return yield* TaskFailure.contentRefused(reason.detail)
      case "AccountProblem":
        return yield* pause(reason)
      case "JobFailed":
        yield* advance(taskId, submitted, undefined)
        return yield* later("fal job failed", `fal: ${reason.type}: ${reason.detail}`, { counted: true })
      case "Cancelled":
        yield* advance(taskId, submitted, undefined)
        return yield* TaskFailure.generationError(`the request to fal was cancelled: ${reason.detail}`)
      case "Unknown": {
        // It may have been paid: from here on it is like a submit whose answer was lost.
        const { requestId: _, ...about } = submitted
        yield* advance(taskId, submitted, { ...about, _tag: "Intended" })
        return yield* later("result lost", `fal no longer knows request ${submitted.requestId}`, {
          counted: false,
          atLeast: UNCERTAIN_GRACE
        })
      }
      default:
        return yield* later("fal unreachable", `fal: ${reason.detail}`, { counted: false })
    }
  })

const observeWait = Effect.fnUntraced(function* (endpoint: string, took: number, inference: number | null) {
  const metrics = yield* Metrics
  yield* metrics.observe("fal_wait_seconds", { endpoint }, took)
  if (inference === null) return
  yield* metrics.observe("fal_inference_seconds", { endpoint }, inference)
  yield* metrics.observe("fal_queue_seconds", { endpoint }, Math.max(0, took - inference))
})

const finish = Effect.fnUntraced(function* (taskId: string, submitted: Submitted) {
  return yield* waitUntilEnded(ticketOf(submitted), usual, submitted.at).pipe(
    Effect.tap(({ inferenceSeconds, tookMs }) => observeWait(submitted.endpoint, tookMs / 1000, inferenceSeconds)),
    Effect.flatMap(({ tookMs }) => collect(taskId, submitted, tookMs)),
    Effect.catchTag("GeneratorError", endedBadly(taskId, submitted))
  )
})

/**
 * One picture for one task, paid once: what the journal knows decides. With a request id it re-attaches and never submits;
 * an intent without one is uncertain, waits its grace and is made again at most once. `beforePaying` runs only when no
 * request was made yet.
 */
export const payOnce = Effect.fn("generation.payOnce")(function* <E, R>(
  taskId: string,
  endpoint: string,
  input: Schema.JsonObject,
  beforePaying: Effect.Effect<void, E, R>
) {
  const journal = yield* Journal
  const metrics = yield* Metrics
  const found = Option.getOrUndefined(yield* Effect.mapError(journal.find(taskId), journalAway))
  switch (found?._tag) {
    case "Generated":
      return bought(found)
    case "Submitted":
      yield* metrics.count("generations_reattached_total", {})
      return bought(yield* finish(taskId, found))
    case "Intended": {
      const waited = ((yield* Clock.currentTimeMillis) - found.at) / 1000
      if (waited < UNCERTAIN_GRACE) {
        return yield* later("uncertain", "an earlier submit got no answer", { counted: false, atLeast: UNCERTAIN_GRACE - waited })
      }
      if (found.resubmits >= MAX_RESUBMITS) {
        return yield* TaskFailure.generationError(
          `fal's answer to the submit was lost ${found.resubmits + 1} times: not asked again`
        )
      }
      // The same input, so that its seed can be found in fal's history.
      return bought(yield* finish(taskId, yield* submit(taskId, found, found.endpoint, found.input, found.resubmits + 1)))
    }
    case undefined:
      yield* beforePaying
      return bought(yield* finish(taskId, yield* submit(taskId, undefined, endpoint, input, 0)))
  }
})

/**
 * After the soft limit: asks fal to cancel, then watches until it has ended one way or the other. `true` when a picture came
 * out of it after all, which is then in the journal.
 */
export const salvage = Effect.fn("generation.salvage")(function* (taskId: string) {
  const journal = yield* Journal
  const generator = yield* Generator
  const found = Option.getOrUndefined(yield* Effect.mapError(journal.find(taskId), journalAway))
  if (found?._tag === "Generated") return true
  if (found?._tag !== "Submitted") return false
  yield* Effect.ignore(generator.cancel(ticketOf(found)))
  return yield* waitUntilEnded(ticketOf(found), impatient, found.at).pipe(
    Effect.flatMap(({ tookMs }) => collect(taskId, found, tookMs)),
    Effect.as(true),
    Effect.catchTag("GeneratorError", () => Effect.succeed(false))
  )
})
