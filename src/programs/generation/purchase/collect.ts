import { Effect, Schedule } from "effect"
import type { Catalogue } from "../../../services/Catalogue.ts"
import type { Endpoints } from "../../../services/Endpoints.ts"
import { Generator, GeneratorError, type Ticket } from "../../../services/Generator.ts"
import type { Journal, PaidEnd } from "../../../services/Journal.ts"
import type { Ledger } from "../../../services/Ledger.ts"
import { Metrics, type Use } from "../../../services/Metrics.ts"
import { zero } from "../../../services/NanoDollars.ts"
import * as Settings from "../../../services/Settings.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import { Begin, type Failure } from "../../task/Task.ts"
import { account, givenUp } from "./account.ts"
import { charged, costOfRequest } from "./charged.ts"
import { refused } from "./endpointCircuit.ts"
import * as Entry from "./JournalEntry.ts"
import { later } from "./retryLater.ts"
import { grace, resubmit, type Wanted } from "./submit.ts"
import { noHint, type WaitTimes, SeenWaitTimes, type Waited, waitUntilEnded } from "./wait.ts"

const tag = ({ reason }: GeneratorError) => reason._tag
const isOfTheJob = (reason: GeneratorError["reason"]) => reason._tag === "Unreachable" && reason.ofTheJob === true
/** A successful result that cannot be read is read once more after this time: a proxy between us and fal may have damaged it. */
const SECOND_LOOK = "5 seconds"

/** Reads the result, with a few tries, so that a passing error is not taken for a lost picture. `known` is the first answer. */
const read = Effect.fnUntraced(function* (ticket: Ticket, known: Waited["result"]) {
  const generator = yield* Generator
  const looks = Effect.retry(generator.result(ticket), {
    while: ({ reason }) => (reason._tag === "Unreachable" && reason.retryAfter === undefined) || reason._tag === "Unknown",
    schedule: Schedule.max([Schedule.exponential("200 millis"), Schedule.recurs(5)])
  })
  return yield* Effect.catchIf(
    known === undefined ? looks : Effect.fromResult(known),
    (error) => tag(error) === "Unreadable",
    () => Effect.andThen(Effect.sleep(SECOND_LOOK), looks)
  )
})

/** The picture of a request that has ended, written down as paid. */
const recordPicture = Effect.fn("generation.collect")(function* (
  payer: Entry.Payer,
  submitted: Entry.Submitted,
  { failure, inferenceSeconds, result, tookMs }: Waited,
  use: Use
) {
  const metrics = yield* Metrics
  const picture = yield* read(Entry.ticketOf(submitted), result).pipe(
    // fal keeps no result of some that failed, or gives no reason there, but the status has said why.
    Effect.mapError((error) =>
      failure !== undefined && (tag(error) === "Unknown" || isOfTheJob(error.reason))
        ? new GeneratorError({ reason: failure })
        : error
    )
  )
  const cost = (yield* costOfRequest(submitted, picture.billableUnits))?.amount
  const generated = {
    ...submitted,
    _tag: "Generated",
    picture,
    tookMs: Math.max(0, Math.round(tookMs)),
    ...(cost === undefined ? {} : { cost }),
    ...(inferenceSeconds === null ? {} : { inferenceMs: Math.round(inferenceSeconds * 1000) })
  } as const
  // Another worker that waits for the same request may have counted it.
  const isOurs = yield* Effect.tapError(Entry.advance(payer, generated), givenUp(payer, generated))
  if (!isOurs) return generated
  yield* charged(payer, submitted, picture.flagged ? "wasted" : use, picture.billableUnits)
  yield* metrics.count("generations_total", { outcome: picture.flagged ? "flagged" : "picture" })
  return generated
})

/** What is known after a request has failed: nothing, or the earlier request whose answer was lost. */
const beforeResubmit = (submitted: Entry.Submitted): Entry.Intended | undefined => {
  if (submitted.resubmits === 0) return undefined
  const { lost = [], paths: _, requestId: __, ...about } = submitted
  const last = lost.at(-1)
  return {
    ...about,
    _tag: "Intended",
    resubmits: submitted.resubmits - 1,
    ...(last === undefined ? {} : { attempt: last.attempt }),
    ...(lost.length > 1 ? { lost: lost.slice(0, -1) } : {})
  }
}

/** Failures that do not tell whether or how the request has ended. */
const tellsNothing = ({ _tag }: GeneratorError["reason"]) => _tag === "Unreachable" || _tag === "AccountProblem"

const countEnd = Effect.fnUntraced(function* (payer: Entry.Payer, submitted: Entry.Submitted, reason: GeneratorError["reason"]) {
  const metrics = yield* Metrics
  if (!tellsNothing(reason)) yield* metrics.count("generations_total", { outcome: reason._tag })
  if (reason._tag === "JobFailed" || reason._tag === "Cancelled") payer.knowledge.settled = zero
  if (reason._tag === "Refused" || reason._tag === "Unreadable")
    payer.knowledge.settled = yield* charged(payer, submitted, "wasted", reason.billableUnits)
})

/** What such an end cost: nothing, if fal says so or its rules do. */
const paidEnd = (reason: GeneratorError["reason"]): PaidEnd | undefined =>
  (reason._tag === "Refused" || reason._tag === "Unreadable") && reason.billableUnits !== 0
    ? { outcome: "wasted", units: reason.billableUnits }
    : undefined

/** Between two looks of a result that fal answers with an error and no reason (seconds). */
const NEXT_LOOK = 60

/**
 * Asks about the same request again later, without limit. Only if the error may be the job's own end does this use up the task's
 * retries. No other request is made, because fal may still deliver the paid picture.
 */
const unreachable = (reason: GeneratorError["reason"]) => {
  const retryAfter = "retryAfter" in reason ? (reason.retryAfter ?? 0) : 0
  const counted = isOfTheJob(reason)
  return later("fal unreachable", `fal: ${reason.detail}`, {
    counted,
    atLeast: counted ? Math.max(NEXT_LOOK, retryAfter) : retryAfter
  })
}

/** How a request that fal accepted can end other than in a picture. */
const endedBadly = (payer: Entry.Payer, submitted: Entry.Submitted) =>
  Effect.fnUntraced(function* (
    error: GeneratorError
  ): Effect.fn.Return<never, Failure, Catalogue | Journal | Ledger | Metrics | Generator | Endpoints> {
    const { reason } = error
    yield* countEnd(payer, submitted, reason)
    switch (reason._tag) {
      case "Refused":
        yield* account(payer, submitted, paidEnd(reason))
        return yield* TaskFailure.contentRefused(reason.detail)
      case "AccountProblem":
        return yield* refused(reason)
      case "Unreadable":
        yield* account(payer, submitted, paidEnd(reason))
        return yield* TaskFailure.generationError(
          `fal ended request ${submitted.requestId} with an answer that cannot be read: ${reason.detail}`
        )
      case "JobFailed":
        yield* Entry.withdraw(payer, submitted, beforeResubmit(submitted))
        return yield* later("fal job failed", `fal: ${reason.type}: ${reason.detail}`, { counted: true })
      case "Cancelled":
        yield* account(payer, submitted, undefined)
        yield* Entry.behind(Entry.withdraw(payer, submitted, undefined))
        return yield* TaskFailure.generationError(`the request to fal was cancelled: ${reason.detail}`)
      case "Unknown":
        // The request may have been paid: fal is asked about it once more after FAL_UNCERTAIN_GRACE.
        yield* Entry.advance(payer, { ...submitted, unknownSince: yield* Entry.now(payer) })
        return yield* later("result lost", `fal no longer knows request ${submitted.requestId}`, {
          counted: false,
          atLeast: yield* grace
        })
      default:
        return yield* unreachable(reason)
    }
  })

const observeWait = Effect.fnUntraced(function* (endpoint: string, { inferenceSeconds, noticedBy, tookMs }: Waited) {
  const metrics = yield* Metrics
  const took = tookMs / 1000
  yield* metrics.count("fal_ends_noticed_total", { by: noticedBy })
  yield* metrics.observe("fal_wait_seconds", { endpoint }, took)
  if (inferenceSeconds === null) return
  yield* metrics.observe("fal_inference_seconds", { endpoint }, inferenceSeconds)
  yield* metrics.observe("fal_queue_seconds", { endpoint }, Math.max(0, took - inferenceSeconds))
})

/** When it was made, by the clock of this machine. */
const madeAt = (payer: Entry.Payer, { at }: Entry.Submitted) => at - payer.knowledge.ahead

/**
 * Goes on with a request that an earlier run has made. If fal said that it does not know the request, fal is asked again after
 * FAL_UNCERTAIN_GRACE; if it still does not know it, the request is made again or given up, like one whose answer was lost.
 */
export const reattach = Effect.fnUntraced(function* <E, R>(
  payer: Entry.Payer,
  known: Entry.Submitted,
  wanted: Effect.Effect<Wanted, E, R>
) {
  const metrics = yield* Metrics
  const { unknownSince, ...submitted } = known
  if (unknownSince !== undefined) {
    const generator = yield* Generator
    const left = (yield* grace) - ((yield* Entry.now(payer)) - unknownSince) / 1000
    const ticket = Entry.ticketOf(submitted)
    // fal may still know a request whose result it has not any more, and have a result of one that it does not know.
    const both = generator.progress(ticket).pipe(
      Effect.map(({ _tag }) => _tag === "Ended"),
      Effect.catchIf(
        (error) => tag(error) === "Unknown",
        () => Effect.succeed(true)
      ),
      Effect.flatMap((mayHaveEnded) => (mayHaveEnded ? Effect.asVoid(generator.result(ticket)) : Effect.void))
    )
    const look = yield* Effect.result(left > 0 ? Effect.void : both)
    const reason = look._tag === "Failure" ? look.failure.reason : undefined
    if (left > 0 || reason?._tag === "Unknown") return yield* resubmit(payer, known, wanted)
    if (reason?._tag === "AccountProblem") return yield* refused(reason)
    if (reason?._tag === "Unreachable") return yield* unreachable(reason)
  }
  yield* metrics.count("generations_reattached_total", {})
  yield* Entry.renew(payer, submitted)
  return submitted
})

/** Waits until the request has ended and reads its picture. A task with a request at fal counts as started. */
export const collect = Effect.fnUntraced(function* (payer: Entry.Payer, submitted: Entry.Submitted) {
  yield* yield* Begin
  const generator = yield* Generator
  const { FAL_WAIT } = yield* Settings.of("FAL_WAIT").pipe(Effect.orDie)
  const ticket = Entry.ticketOf(submitted)
  const hint = FAL_WAIT === "stream" ? generator.awaitEnd(ticket) : noHint
  return yield* waitUntilEnded(ticket, yield* SeenWaitTimes, madeAt(payer, submitted), hint).pipe(
    Effect.tap((waited) => observeWait(submitted.endpoint, waited)),
    Effect.flatMap((waited) => recordPicture(payer, submitted, waited, "used")),
    Effect.catchTag("GeneratorError", endedBadly(payer, submitted))
  )
})

/** For a request that was asked to stop: there is no usual time, and it teaches nothing about one. */
const noUsualTime: WaitTimes = { of: () => 0, sure: () => false, saw: () => {} }

/** Asks fal to cancel, then watches until it has ended. `true` when a picture came out of it after all. */
export const cancelAndWatch = Effect.fnUntraced(function* (payer: Entry.Payer, submitted: Entry.Submitted, use: Use) {
  const generator = yield* Generator
  yield* Effect.ignore(generator.cancel(Entry.ticketOf(submitted)))
  return yield* watchUntilEnded(payer, submitted, use)
})

/** The same for a request that runs on, or that was asked to stop already. An end without a picture is accounted for here. */
export const watchUntilEnded = Effect.fnUntraced(function* (payer: Entry.Payer, submitted: Entry.Submitted, use: Use) {
  return yield* waitUntilEnded(Entry.ticketOf(submitted), noUsualTime, madeAt(payer, submitted), noHint).pipe(
    Effect.flatMap((waited) => recordPicture(payer, submitted, waited, use)),
    // No later run will look: a pause that fal asks for is waited for here, within the hard limit.
    Effect.retry({
      while: (error) =>
        error._tag === "GeneratorError" && error.reason._tag === "Unreachable" && error.reason.retryAfter !== undefined,
      schedule: Schedule.spaced("10 seconds")
    }),
    Effect.as(true),
    // A request that fal does not report on may still be running, and counts as in flight for a while.
    Effect.catchTag("GeneratorError", ({ reason }) =>
      Effect.as(
        tellsNothing(reason)
          ? Effect.void
          : countEnd(payer, submitted, reason).pipe(
              Effect.andThen(
                account(payer, submitted, reason._tag === "Unknown" ? { outcome: "uncertain", units: null } : paidEnd(reason))
              ),
              Effect.andThen(Entry.close(payer))
            ),
        false
      )
    )
  )
})
