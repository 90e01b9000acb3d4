import { Clock, Duration, Effect, Option, Schedule, type Schema } from "effect"
import type { CircuitBreaker } from "effect/persistence"
import { type AccountProblem, Generator, type GeneratorError, type Picture, type Ticket } from "../../services/Generator.ts"
import { type Generation, Journal, type JournalError } from "../../services/Journal.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as Settings from "../../services/Settings.ts"
import { costOf } from "../commands/price.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { type Failure, NotYet, PutBack, RetryLater } from "../Task.ts"
import { inTurn, isDown, whileUp, withinRate } from "./gate.ts"
import { type Usual, UsualTimes, waitUntilEnded } from "./wait.ts"

const MAX_RESUBMITS = 1
/** How long a submit whose answer was lost is given to show itself before it may be made again (seconds). */
const grace = Settings.of("FAL_UNCERTAIN_GRACE").pipe(
  Effect.map(({ FAL_UNCERTAIN_GRACE }) => Duration.toSeconds(FAL_UNCERTAIN_GRACE)),
  Effect.orDie
)

/** For a request that was asked to stop: there is no usual time, and it teaches nothing about one. */
const impatient: Usual = { of: () => 0, sure: () => false, saw: () => {} }

type Intended = Extract<Generation, { readonly _tag: "Intended" }>
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

// Losing a request id costs money, so this is worth insisting on.
const insisting = <A>(call: Effect.Effect<A, JournalError>) =>
  Effect.retry(call, Schedule.max([Schedule.exponential("100 millis"), Schedule.recurs(8)]))

const advance = Effect.fnUntraced(function* (taskId: string, from: Generation | undefined, to: Generation | undefined) {
  const journal = yield* Journal
  const move = journal.advance(taskId, Option.fromNullishOr(from), Option.fromNullishOr(to))
  const moved = yield* Effect.mapError(insisting(move), journalAway)
  if (!moved) return yield* contended
})

/** The intent, once the fleet has room for one more request and has not made too many in this minute. */
const intend = Effect.fnUntraced(function* (taskId: string, before: Generation | undefined, intent: Intended) {
  const journal = yield* Journal
  const answer = yield* Effect.mapError(journal.intend(taskId, Option.fromNullishOr(before), intent), journalAway)
  if (answer === "full") return yield* new NotYet({ reason: "no room at fal", after: 1 })
  if (answer === "contended") return yield* contended
  yield* Effect.tapError(withinRate, () => advance(taskId, intent, before))
})

/** It has ended and no longer counts as in flight. That it may have to run out instead is no reason to fail. */
const close = Effect.fnUntraced(function* (taskId: string) {
  const journal = yield* Journal
  yield* Effect.ignore(insisting(journal.close(taskId)))
})

/** Intent, one POST, request id: nothing can come between the last two but the death of the process. */
const submitNow = Effect.fn("generation.submit")(function* (
  taskId: string,
  before: Generation | undefined,
  endpoint: string,
  input: Schema.JsonObject,
  resubmits: number
) {
  const generator = yield* Generator
  const metrics = yield* Metrics
  const intended = { _tag: "Intended", endpoint, input, at: yield* Clock.currentTimeMillis, resubmits } as const
  const resubmitting = Effect.andThen(
    metrics.count("generations_uncertain_ended_total", { how: "resubmitted" }),
    Effect.logWarning("a submit whose answer was lost is made again", { taskId, seed: input["seed"] })
  )
  const made = intend(taskId, before, intended).pipe(
    Effect.tap(() => (resubmits === 0 ? Effect.void : resubmitting)),
    Effect.andThen(generator.submit(endpoint, input)),
    Effect.flatMap((ticket) => {
      const submitted = { ...intended, _tag: "Submitted", requestId: ticket.requestId } as const
      return Effect.as(advance(taskId, intended, submitted), submitted)
    })
  )
  return yield* whileUp(made).pipe(
    Effect.catchTag(
      "GeneratorError",
      Effect.fnUntraced(function* ({ reason }): Effect.fn.Return<never, Failure, Journal | CircuitBreaker.CircuitBreaker> {
        if (reason._tag === "Uncertain") {
          yield* metrics.count("generations_uncertain_total", {})
          yield* Effect.logWarning("fal's answer to a submit was lost: it may be paid already", { taskId, detail: reason.detail })
          return yield* later("uncertain", `fal's answer to the submit was lost: ${reason.detail}`, {
            counted: false,
            atLeast: yield* grace
          })
        }
        yield* advance(taskId, intended, before)
        if (reason._tag === "AccountProblem") return yield* pause(reason)
        if (reason._tag === "Refused") return yield* TaskFailure.contentRefused(reason.detail)
        if (reason._tag === "Busy") return yield* later("fal busy", `fal: ${reason.detail}`, { counted: true })
        // While fal takes nobody's, it is no fault of this task's.
        return yield* later("fal unreachable", `fal: ${reason.detail}`, { counted: !(yield* isDown) })
      })
    ),
    Effect.uninterruptible
  )
})
const submit = (...args: Parameters<typeof submitNow>) => inTurn(submitNow(...args))

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

/** What is known once a request has failed: nothing, or that there was another before it, whose answer was lost. */
const beforeResubmit = ({ at, endpoint, input, resubmits }: Submitted): Intended | undefined =>
  resubmits === 0 ? undefined : { _tag: "Intended", endpoint, input, at, resubmits: resubmits - 1 }

/** How a request that fal accepted can end other than in a picture. */
const endedBadly = (taskId: string, submitted: Submitted) =>
  Effect.fnUntraced(function* (error: GeneratorError): Effect.fn.Return<never, Failure, Journal | Metrics> {
    const metrics = yield* Metrics
    const { reason } = error
    yield* metrics.count("generations_total", { outcome: reason._tag })
    switch (reason._tag) {
      case "Refused":
        return yield* TaskFailure.contentRefused(reason.detail)
      case "AccountProblem":
        return yield* pause(reason)
      case "JobFailed":
        yield* advance(taskId, submitted, beforeResubmit(submitted))
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
          atLeast: yield* grace
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
  return yield* waitUntilEnded(ticketOf(submitted), yield* UsualTimes, submitted.at).pipe(
    Effect.tap(({ inferenceSeconds, tookMs }) => observeWait(submitted.endpoint, tookMs / 1000, inferenceSeconds)),
    Effect.flatMap(({ tookMs }) => collect(taskId, submitted, tookMs)),
    Effect.catchTag("GeneratorError", endedBadly(taskId, submitted))
  )
})

/** A task that fails is not run again: whatever became of its request, nobody will ask for it. */
const closing = <A, E, R>(effect: Effect.Effect<A, E, R>, taskId: string) =>
  Effect.tapError(effect, (error) => (error instanceof TaskFailure.TaskFailure ? close(taskId) : Effect.void))

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
      yield* advance(taskId, found, found) // in flight again, if it had been forgotten
      return bought(yield* finish(taskId, found))
    case "Intended": {
      const waited = ((yield* Clock.currentTimeMillis) - found.at) / 1000
      const left = (yield* grace) - waited
      if (left > 0) return yield* later("uncertain", "an earlier submit got no answer", { counted: false, atLeast: left })
      const { FAL_UNCERTAIN } = yield* Settings.of("FAL_UNCERTAIN").pipe(Effect.orDie)
      if (FAL_UNCERTAIN === "fail" || found.resubmits >= MAX_RESUBMITS) {
        const times = found.resubmits === 0 ? "once" : `${found.resubmits + 1} times`
        yield* metrics.count("generations_uncertain_ended_total", { how: "failed" })
        yield* Effect.logError("a submit whose answer was lost is given up: look for it in fal's history", {
          taskId,
          seed: found.input["seed"]
        })
        return yield* TaskFailure.generationError(`fal's answer to the submit was lost ${times}: not asked again`)
      }
      // The same input, so that its seed can be found in fal's history.
      return bought(yield* finish(taskId, yield* submit(taskId, found, found.endpoint, found.input, found.resubmits + 1)))
    }
    case undefined:
      yield* beforePaying
      return bought(yield* finish(taskId, yield* submit(taskId, undefined, endpoint, input, 0)))
  }
}, closing)

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
    // One that fal does not speak of may still be running, and counts for a while.
    Effect.catchTag("GeneratorError", ({ reason }) =>
      Effect.as(reason._tag === "Unreachable" || reason._tag === "AccountProblem" ? Effect.void : close(taskId), false)
    )
  )
}, closing)
