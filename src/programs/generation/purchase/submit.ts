import { Clock, Duration, Effect, Option, Random, type Schema } from "effect"
import type { CircuitBreaker } from "effect/persistence"
import type { Endpoints } from "../../../services/Endpoints.ts"
import { nameOf, type OverBudget } from "../../../services/Budget.ts"
import { Catalogue, type PictureRequest, type ProviderRequest, upperPrice } from "../../../services/Catalogue.ts"
import { Generator, type GeneratorError } from "../../../services/Generator.ts"
import { attemptOf, Journal, type LostRequest, seedOf } from "../../../services/Journal.ts"
import { Metrics } from "../../../services/Metrics.ts"
import * as NanoDollars from "../../../services/NanoDollars.ts"
import * as Settings from "../../../services/Settings.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import { Blocked, type Failure, NotYet } from "../../task/Task.ts"
import { account, givenUp } from "./account.ts"
import { charged } from "./charged.ts"
import { busy, refused, whileOpen } from "./endpointCircuit.ts"
import { findLost } from "./findLost.ts"
import * as Entry from "./JournalEntry.ts"
import { inTurn, isDown, withinRate } from "./submitLimits.ts"
import { later } from "./retryLater.ts"

/** A picture that a task wants to buy. */
export interface Wanted {
  readonly request: PictureRequest
  /** Facts that the task needs again when the picture comes, for example about the row it edits. Kept in the journal. */
  readonly note: Schema.JsonObject | undefined
}
/** Between two looks into the bills for a request that was lost (seconds). */
const NEXT_LOOK = 30
/**
 * No POST is made for an intent older than this (milliseconds): another worker could count its grace from the intent and submit
 * again.
 */
const LATEST = 20_000
/** How long a task of a model without a price is parked (seconds). */
const UNPRICED = 300
/** After a lost answer the request may be submitted again once this time has passed (seconds). */
export const grace = Settings.of("FAL_UNCERTAIN_GRACE").pipe(
  Effect.map(({ FAL_UNCERTAIN_GRACE }) => Duration.toSeconds(FAL_UNCERTAIN_GRACE)),
  Effect.orDie
)

/** A request that was answered with 502 or 503 is waited for no longer than this (seconds). */
const DOOR_GRACE = 15
const graceOf = ({ answered }: Pick<Entry.Intended, "answered">) =>
  Effect.map(grace, (seconds) => (answered === undefined ? seconds : Math.min(seconds, DOOR_GRACE)))
const refusedAtDoor = ({ answered }: Pick<Entry.Intended, "answered">) =>
  `fal answered the submit with ${answered}: it is made again after ${DOOR_GRACE} s, in case it was taken all the same`

/** fal accepted the request but gave no id: its picture cannot be fetched, and it must not be submitted again. */
const acceptedWithoutId = TaskFailure.generationError(
  "fal accepted the request and named no request id, so its picture cannot be found: paid, and not asked again"
)

/** A task that has to wait for money asks again this soon, in case a cap is raised meanwhile (seconds). */
const ASK_AGAIN = 30

/** Nothing was bought: the task is parked until its budget has money again. */
const outOfMoney = Effect.fnUntraced(function* (price: NanoDollars.NanoDollars, over: OverBudget) {
  const { ends, first, limit, span, subject, used } = over
  const now = yield* Clock.currentTimeMillis
  const why =
    price > limit
      ? `a picture may cost ${NanoDollars.dollars(price)}, which is more than all of its ${NanoDollars.dollars(limit)}: none is made until it is raised`
      : `${NanoDollars.dollars(used)} of ${NanoDollars.dollars(limit)} are spent or reserved`
  if (first)
    yield* Effect.logError("a budget is used up: its tasks are parked until its next period, or until it is raised", {
      event: "budget",
      span,
      subject,
      why,
      until: new Date(ends * 1000).toISOString()
    })
  // The same instant for all that ask within a time, so that they come back one after the other.
  const again = (Math.floor(now / 1000 / ASK_AGAIN) + 1) * ASK_AGAIN
  return yield* new Blocked({ by: nameOf(over), why, after: Math.min(again, ends) - now / 1000, reason: "budget" })
})

/** The intent, once the fleet has room for one more request and has not made too many in this minute. */
const intend = Effect.fnUntraced(function* (payer: Entry.Payer, intent: Entry.Intended, lost: Lost | undefined) {
  const journal = yield* Journal
  const takeBack = Entry.withdraw(payer, intent, lost)
  const before = yield* Clock.currentTimeMillis
  const answer = yield* journal.intend(payer.id, intent, Option.fromNullishOr(lost)).pipe(
    // Written without our knowing, it would pass for a submit whose answer was lost, and none was made.
    Effect.tapError(() => Effect.ignore(takeBack)),
    Effect.mapError(Entry.away)
  )
  if (answer === "full") return yield* new NotYet({ reason: "no room at fal", after: 1 })
  if (answer === "contended") return yield* Entry.contended
  if (typeof answer === "object") return yield* outOfMoney(intent.price ?? NanoDollars.zero, answer)
  payer.knowledge.generation = intent
  payer.knowledge.settled = undefined
  yield* Effect.tapError(withinRate, () => takeBack)
  // This process may have been frozen since it wrote the intent.
  if ((yield* Clock.currentTimeMillis) - before <= LATEST) return
  yield* takeBack
  return yield* later("late", "it took too long to write down what was about to be bought", { counted: false })
})

/** After a submit that fal refused, or whose answer was lost. */
const notTaken = Effect.fnUntraced(function* (
  payer: Entry.Payer,
  intent: Entry.Intended,
  lost: Lost | undefined,
  { reason }: GeneratorError
): Effect.fn.Return<never, Failure, Catalogue | Journal | Metrics | Generator | Endpoints | CircuitBreaker.CircuitBreaker> {
  const metrics = yield* Metrics
  const takeBack = Entry.withdraw(payer, intent, lost)
  const request = { taskId: payer.id, seed: seedOf(intent), detail: reason.detail }
  switch (reason._tag) {
    case "Uncertain":
      yield* metrics.count("generations_uncertain_total", {})
      yield* Effect.logWarning("fal's answer to a submit was lost: it may be paid already", request)
      if (reason.answered !== undefined) {
        const answered = { ...intent, answered: reason.answered }
        yield* Entry.advance(payer, answered)
        return yield* later("uncertain", refusedAtDoor(answered), { counted: false, atLeast: yield* graceOf(answered) })
      }
      return yield* later("uncertain", `fal's answer to the submit was lost: ${reason.detail}`, {
        counted: false,
        atLeast: yield* grace
      })
    case "AcceptedWithoutId":
      // Also closed by `payOnce`, which accounts for it: no worker will ever see this request end.
      payer.knowledge.generation = { ...intent, accepted: true }
      yield* Entry.behind(Effect.andThen(Entry.advance(payer, { ...intent, accepted: true }), Entry.close(payer)))
      yield* charged(payer, intent, "wasted", null)
      yield* metrics.count("generations_total", { outcome: reason._tag })
      yield* Effect.logError("fal accepted a request and named no request id: look for it in fal's history", request)
      return yield* acceptedWithoutId
    case "Refused":
      payer.knowledge.settled = NanoDollars.zero
      yield* Entry.behind(takeBack)
      return yield* TaskFailure.contentRefused(reason.detail)
    case "AccountProblem":
      yield* takeBack
      return yield* refused(reason)
    case "Busy":
      yield* takeBack
      yield* busy(intent.endpoint, reason)
      return yield* later("fal busy", `fal: ${reason.detail}`, { counted: true, atLeast: reason.retryAfter ?? 0 })
    default:
      yield* takeBack
      // While the circuit is open, the failure does not use up the task's retries.
      return yield* later("fal unreachable", `fal: ${reason.detail}`, { counted: !(yield* isDown) })
  }
})

const lostRequestOf = (lost: Lost): LostRequest => ({
  attempt: attemptOf(lost),
  at: lost.at,
  ...(lost._tag === "Submitted" ? { requestId: lost.requestId } : {})
})

/** One request to the provider, and what the journal keeps beside it. */
interface Purchase extends ProviderRequest {
  readonly note: Schema.JsonObject | undefined
  readonly seed: number | undefined
  /** The bills are whole and do not have the request that this one repeats: it has cost nothing. */
  readonly isUnpaid?: boolean
}

/** No price, no submit: the settings are checked at the start, but a lost request may be of a model that they chose then. */
const priced = Effect.fnUntraced(function* (endpoint: string) {
  const { mayBeUnpriced, priceOf } = yield* Catalogue
  if (Option.isSome(priceOf(endpoint)) || mayBeUnpriced(endpoint)) return
  const why = "its price is not known here, and FAL_UNPRICED_MODELS does not name it"
  return yield* new Blocked({ by: endpoint, why, after: UNPRICED, reason: "closed" })
})

/**
 * Intent, one POST, request id: nothing can come between the last two but the death of the process. What is known is remembered
 * at once, so only the writing of it may be cut short.
 */
const submitNow = Effect.fn("generation.submit")(function* (
  payer: Entry.Payer,
  { endpoint, input, isUnpaid = false, note, seed }: Purchase,
  lost: Lost | undefined
) {
  yield* priced(endpoint)
  const price = upperPrice(yield* Catalogue, { endpoint, input })
  const generator = yield* Generator
  const metrics = yield* Metrics
  const intent: Entry.Intended = {
    _tag: "Intended",
    endpoint,
    ...Entry.kept(input),
    ...(seed === undefined ? {} : { seed }),
    ...Entry.noted(note),
    at: yield* Entry.now(payer),
    attempt: yield* Random.next,
    digest: payer.digest(),
    caller: payer.caller(),
    resubmits: lost === undefined ? 0 : lost.resubmits + 1,
    ...(lost === undefined ? {} : { lost: [...(lost.lost ?? []), ...(isUnpaid ? [] : [lostRequestOf(lost)])] }),
    timeLimit: payer.timeLimit,
    ...(price === undefined ? {} : { price })
  }
  const resubmitting = Effect.andThen(
    metrics.count("generations_uncertain_ended_total", { how: "resubmitted" }),
    Effect.logWarning("a request that was lost is made again", { taskId: payer.id, seed })
  )
  const made = intend(payer, intent, lost).pipe(
    Effect.tap(() => (lost === undefined ? Effect.void : resubmitting)),
    Effect.andThen(generator.submit({ endpoint, input })),
    Effect.map((ticket): Entry.Submitted => {
      const { endpoint: _, ...known } = ticket
      return { ...intent, ...known, _tag: "Submitted" }
    }),
    Effect.tap((submitted) => Effect.tapError(Entry.advance(payer, submitted), givenUp(payer, submitted)))
  )
  return yield* whileOpen(endpoint, made).pipe(
    Effect.catchTag("GeneratorError", (error) => notTaken(payer, intent, lost, error)),
    Effect.uninterruptible
  )
})

/** The first submit of a task. */
export const submit = Effect.fnUntraced(function* <E, R>(payer: Entry.Payer, wanted: Effect.Effect<Wanted, E, R>) {
  const catalogue = yield* Catalogue
  const { note, request } = yield* wanted
  const endpoint = catalogue.endpoints[request._tag]
  const input = catalogue.inputOf(request, endpoint)
  return yield* inTurn(submitNow(payer, { endpoint, input, note, seed: request.seed }, undefined))
})

/** A request whose answer was lost has been found: it is waited for like any other. */
const adopt = Effect.fnUntraced(function* (payer: Entry.Payer, lost: Entry.Intended, requestId: string) {
  const metrics = yield* Metrics
  const submitted: Entry.Submitted = { ...lost, _tag: "Submitted", requestId }
  yield* Entry.advance(payer, submitted)
  yield* metrics.count("generations_uncertain_ended_total", { how: "found" })
  yield* Effect.logInfo("a request that was lost is found in fal's bills", { taskId: payer.id, requestId })
  return submitted
})

/** A request that may be paid and has no request id. */
export type Lost = Entry.Intended | Entry.Submitted

/**
 * A request that fal never took costs nothing, so making it again does not count against `FAL_MAX_RESUBMITS`. A task whose request
 * fal so often does not take is given up all the same.
 */
const MOST_UNPAID = 20
const isGivenUp = ({ lost, resubmits }: Lost, isUnpaid: boolean, most: number) =>
  isUnpaid && most > 0 ? resubmits >= most + MOST_UNPAID : (lost?.length ?? resubmits) >= most

/** The task's failure when its lost request is not made again. */
const wordsOf = (lost: Lost) =>
  lost._tag === "Submitted"
    ? `fal no longer knows request ${lost.requestId}`
    : `fal's answer to the submit was lost ${lost.resubmits === 0 ? "once" : `${lost.resubmits + 1} times`}`

/**
 * Handles a lost request: waits its grace, then makes it again, or gives it up when it may not be made again. The input is the
 * same, so that its seed can be found in fal's history.
 */
export const resubmit = Effect.fnUntraced(function* <E, R>(payer: Entry.Payer, lost: Lost, wanted: Effect.Effect<Wanted, E, R>) {
  if (lost._tag === "Intended" && lost.accepted === true) return yield* acceptedWithoutId
  const since = lost._tag === "Submitted" ? (lost.unknownSince ?? lost.at) : lost.at
  const isAnswered = lost._tag === "Intended" && lost.answered !== undefined
  const left = (yield* isAnswered ? graceOf(lost) : grace) - ((yield* Entry.now(payer)) - since) / 1000
  if (left > 0)
    return yield* later("uncertain", isAnswered ? refusedAtDoor(lost) : "an earlier submit got no answer", {
      counted: false,
      atLeast: left
    })
  let isUnpaid = false
  if (lost._tag === "Intended") {
    const trace = yield* findLost(payer, lost)
    if (trace._tag === "Found") return yield* adopt(payer, lost, trace.requestId)
    if (trace._tag === "NotYet")
      return yield* later("uncertain", "fal's bills do not reach the time of a submit without an answer yet", {
        counted: false,
        atLeast: NEXT_LOOK
      })
    isUnpaid = trace._tag === "None"
  }
  const seed = seedOf(lost)
  const { FAL_MAX_RESUBMITS, FAL_UNCERTAIN } = yield* Settings.of("FAL_UNCERTAIN", "FAL_MAX_RESUBMITS").pipe(Effect.orDie)
  if (FAL_UNCERTAIN === "fail" || isGivenUp(lost, isUnpaid, FAL_MAX_RESUBMITS)) {
    const metrics = yield* Metrics
    yield* metrics.count("generations_uncertain_ended_total", { how: "failed" })
    yield* Effect.logError("a request that was lost is given up: look for it in fal's history", {
      taskId: payer.id,
      seed
    })
    if (isUnpaid) yield* account(payer, lost, undefined)
    return yield* TaskFailure.generationError(`${wordsOf(lost)}: not asked again`)
  }
  const { endpoint, input, note } = lost
  if (lost.cut !== true) return yield* inTurn(submitNow(payer, { endpoint, input, isUnpaid, note, seed }, lost))
  const again = yield* wanted
  const catalogue = yield* Catalogue
  const whole = { ...catalogue.inputOf({ ...again.request, seed: seed ?? again.request.seed }, endpoint), ...input }
  return yield* inTurn(submitNow(payer, { endpoint, input: whole, isUnpaid, note: note ?? again.note, seed }, lost))
})
