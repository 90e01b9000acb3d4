import { Clock, Duration, Effect, Option, Random, type Schema } from "effect"
import type { CircuitBreaker } from "effect/persistence"
import type { Endpoints } from "../../services/Endpoints.ts"
import { Generator, type GeneratorError } from "../../services/Generator.ts"
import { Journal } from "../../services/Journal.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as Settings from "../../services/Settings.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { type Failure, NotYet } from "../Task.ts"
import { charged } from "./charged.ts"
import { busy, refused, whileOpen } from "./endpoint.ts"
import * as Entry from "./Entry.ts"
import { inTurn, isDown, withinRate } from "./gate.ts"
import { later } from "./putOff.ts"

interface Wanted {
  readonly input: Schema.JsonObject
  /** What the task will have to know when the picture has come, though it may be no more where it was found. */
  readonly note: Schema.JsonObject | undefined
}
/** What a task wants from fal. */
export interface Order<E, R> {
  readonly endpoint: string
  readonly wanted: Effect.Effect<Wanted, E, R>
}

const MAX_RESUBMITS = 1
/** An intent older than this is not acted upon any more (milliseconds): its grace would be over too soon after the POST. */
const LATEST = 20_000
/** How long a submit whose answer was lost is given to show itself before it may be made again (seconds). */
export const grace = Settings.of("FAL_UNCERTAIN_GRACE").pipe(
  Effect.map(({ FAL_UNCERTAIN_GRACE }) => Duration.toSeconds(FAL_UNCERTAIN_GRACE)),
  Effect.orDie
)

/** fal has the request, and nobody can find it again: neither its picture can be had, nor may it be made again. */
const acceptedWithoutId = TaskFailure.generationError(
  "fal accepted the request and named no request id, so its picture cannot be found: paid, and not asked again"
)

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
  payer.knowledge.generation = intent
  yield* Effect.tapError(withinRate, () => takeBack)
  // Whoever stood still meanwhile.
  if ((yield* Clock.currentTimeMillis) - before <= LATEST) return
  yield* takeBack
  return yield* later("late", "it took too long to write down what was about to be bought", { counted: false })
})

/** A submit of which fal did not take the request, or is not known to have taken it. */
const notTaken = Effect.fnUntraced(function* (
  payer: Entry.Payer,
  intent: Entry.Intended,
  lost: Lost | undefined,
  { reason }: GeneratorError
): Effect.fn.Return<never, Failure, Journal | Metrics | Generator | Endpoints | CircuitBreaker.CircuitBreaker> {
  const metrics = yield* Metrics
  const takeBack = Entry.withdraw(payer, intent, lost)
  const request = { taskId: payer.id, seed: intent.input["seed"], detail: reason.detail }
  switch (reason._tag) {
    case "Uncertain":
      yield* metrics.count("generations_uncertain_total", {})
      yield* Effect.logWarning("fal's answer to a submit was lost: it may be paid already", request)
      return yield* later("uncertain", `fal's answer to the submit was lost: ${reason.detail}`, {
        counted: false,
        atLeast: yield* grace
      })
    case "AcceptedWithoutId":
      // Closed after it, and by `payOnce` beside it: nobody will see it end.
      yield* Entry.behind(Effect.andThen(Entry.advance(payer, { ...intent, accepted: true }), Entry.close(payer)))
      yield* charged(intent.endpoint, "wasted", null)
      yield* metrics.count("generations_total", { outcome: reason._tag })
      yield* Effect.logError("fal accepted a request and named no request id: look for it in fal's history", request)
      return yield* acceptedWithoutId
    case "Refused":
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
      // While fal takes nobody's, it is no fault of this task's.
      return yield* later("fal unreachable", `fal: ${reason.detail}`, { counted: !(yield* isDown) })
  }
})

/**
 * Intent, one POST, request id: nothing can come between the last two but the death of the process. What is known is remembered
 * at once, so only the writing of it may be cut short.
 */
const submitNow = Effect.fn("generation.submit")(function* (
  payer: Entry.Payer,
  { endpoint, input, note }: Wanted & Pick<Entry.Intended, "endpoint">,
  lost: Lost | undefined
) {
  const generator = yield* Generator
  const metrics = yield* Metrics
  const intent: Entry.Intended = {
    _tag: "Intended",
    endpoint,
    ...Entry.kept(input),
    ...Entry.noted(note),
    at: yield* Entry.now(payer),
    attempt: yield* Random.next,
    digest: payer.digest,
    resubmits: lost === undefined ? 0 : lost.resubmits + 1,
    timeLimit: payer.timeLimit
  }
  const resubmitting = Effect.andThen(
    metrics.count("generations_uncertain_ended_total", { how: "resubmitted" }),
    Effect.logWarning("a request that was lost is made again", { taskId: payer.id, seed: input["seed"] })
  )
  const made = intend(payer, intent, lost).pipe(
    Effect.tap(() => (lost === undefined ? Effect.void : resubmitting)),
    Effect.andThen(generator.submit(endpoint, input)),
    Effect.map((ticket): Entry.Submitted => {
      const { endpoint: _, ...known } = ticket
      return { ...intent, ...known, _tag: "Submitted" }
    }),
    Effect.tap((submitted) => Entry.advance(payer, submitted))
  )
  return yield* whileOpen(endpoint, made).pipe(
    Effect.catchTag("GeneratorError", (error) => notTaken(payer, intent, lost, error)),
    Effect.uninterruptible
  )
})

/** A request of which fal has seen nothing yet. */
export const submit = Effect.fnUntraced(function* <E, R>(payer: Entry.Payer, { endpoint, wanted }: Order<E, R>) {
  return yield* inTurn(submitNow(payer, { endpoint, ...(yield* wanted) }, undefined))
})

/** A request that may have been paid, and cannot be found. */
export type Lost = Entry.Intended | Entry.Submitted

/** How a lost request is reported. */
const wordsOf = (lost: Lost) =>
  lost._tag === "Submitted"
    ? `fal no longer knows request ${lost.requestId}`
    : `fal's answer to the submit was lost ${lost.resubmits === 0 ? "once" : `${lost.resubmits + 1} times`}`

/**
 * One that was lost: after its grace it is made again, as often as it may be, else given up. The same input, so that its seed can
 * be found in fal's history.
 */
export const resubmit = Effect.fnUntraced(function* <E, R>(payer: Entry.Payer, lost: Lost, order: Order<E, R>) {
  if (lost._tag === "Intended" && lost.accepted === true) return yield* acceptedWithoutId
  const since = lost._tag === "Submitted" ? (lost.unknownSince ?? lost.at) : lost.at
  const left = (yield* grace) - ((yield* Entry.now(payer)) - since) / 1000
  if (left > 0) return yield* later("uncertain", "an earlier submit got no answer", { counted: false, atLeast: left })
  const { FAL_UNCERTAIN } = yield* Settings.of("FAL_UNCERTAIN").pipe(Effect.orDie)
  if (FAL_UNCERTAIN === "fail" || lost.resubmits >= MAX_RESUBMITS) {
    const metrics = yield* Metrics
    yield* metrics.count("generations_uncertain_ended_total", { how: "failed" })
    yield* Effect.logError("a request that was lost is given up: look for it in fal's history", {
      taskId: payer.id,
      seed: lost.input["seed"]
    })
    return yield* TaskFailure.generationError(`${wordsOf(lost)}: not asked again`)
  }
  const { endpoint, input, note } = lost
  if (lost.cut !== true) return yield* inTurn(submitNow(payer, { endpoint, input, note }, lost))
  const wanted = yield* order.wanted
  return yield* inTurn(submitNow(payer, { endpoint, input: { ...wanted.input, ...input }, note: note ?? wanted.note }, lost))
})
