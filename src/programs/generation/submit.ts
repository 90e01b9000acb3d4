import { Clock, Duration, Effect, Option, Random, type Schema } from "effect"
import type { CircuitBreaker } from "effect/persistence"
import type { Endpoints } from "../../services/Endpoints.ts"
import { Generator } from "../../services/Generator.ts"
import { Journal } from "../../services/Journal.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as Settings from "../../services/Settings.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { type Failure, NotYet, type Task } from "../Task.ts"
import { charged } from "./charged.ts"
import { busy, refused, whileOpen } from "./endpoint.ts"
import * as Entry from "./Entry.ts"
import { inTurn, isDown, whileUp, withinRate } from "./gate.ts"
import { later } from "./putOff.ts"

/** The task that a picture is bought for. */
export type Payer = Pick<Task, "id" | "timeLimit">

const MAX_RESUBMITS = 1
/** An intent older than this is not acted upon any more (milliseconds): its grace would be over too soon after the POST. */
const LATEST = 20_000
/** How long a submit whose answer was lost is given to show itself before it may be made again (seconds). */
export const grace = Settings.of("FAL_UNCERTAIN_GRACE").pipe(
  Effect.map(({ FAL_UNCERTAIN_GRACE }) => Duration.toSeconds(FAL_UNCERTAIN_GRACE)),
  Effect.orDie
)

/** fal has the request, and nobody can find it again: neither its picture can be had, nor may it be made again. */
export const acceptedWithoutId = TaskFailure.generationError(
  "fal accepted the request and named no request id, so its picture cannot be found: paid, and not asked again"
)

/** The intent, once the fleet has room for one more request and has not made too many in this minute. */
const intend = Effect.fnUntraced(function* (taskId: string, before: Entry.Intended | undefined, intent: Entry.Intended) {
  const journal = yield* Journal
  const answer = yield* journal.intend(taskId, Option.fromNullishOr(before), intent).pipe(
    // Written without our knowing, it would pass for a submit whose answer was lost, and none was made.
    Effect.tapError(() => Effect.ignore(Entry.advance(taskId, intent, before))),
    Effect.mapError(Entry.away)
  )
  if (answer === "full") return yield* new NotYet({ reason: "no room at fal", after: 1 })
  if (answer === "contended") return yield* Entry.contended
  yield* Effect.tapError(withinRate, () => Entry.advance(taskId, intent, before))
  // Whoever stood still meanwhile.
  if ((yield* Clock.currentTimeMillis) - intent.at <= LATEST) return
  yield* Entry.advance(taskId, intent, before)
  return yield* later("late", "it took too long to write down what was about to be bought", { counted: false })
})

/** Intent, one POST, request id: nothing can come between the last two but the death of the process. */
const submitNow = Effect.fn("generation.submit")(function* (
  { id: taskId, timeLimit }: Payer,
  before: Entry.Intended | undefined,
  endpoint: string,
  input: Schema.JsonObject,
  resubmits: number
) {
  const generator = yield* Generator
  const metrics = yield* Metrics
  const at = yield* Clock.currentTimeMillis
  const intended = { _tag: "Intended", endpoint, input, at, attempt: yield* Random.next, resubmits, timeLimit } as const
  const resubmitting = Effect.andThen(
    metrics.count("generations_uncertain_ended_total", { how: "resubmitted" }),
    Effect.logWarning("a submit whose answer was lost is made again", { taskId, seed: input["seed"] })
  )
  const made = intend(taskId, before, intended).pipe(
    Effect.tap(() => (resubmits === 0 ? Effect.void : resubmitting)),
    Effect.andThen(generator.submit(endpoint, input)),
    Effect.flatMap((ticket) => {
      const { endpoint: _, ...known } = ticket
      const submitted = { ...intended, ...known, _tag: "Submitted" } as const
      return Effect.as(Entry.advance(taskId, intended, submitted), submitted)
    })
  )
  return yield* whileOpen(endpoint, whileUp(made)).pipe(
    Effect.catchTag(
      "GeneratorError",
      Effect.fnUntraced(function* ({
        reason
      }): Effect.fn.Return<never, Failure, Journal | Metrics | Generator | Endpoints | CircuitBreaker.CircuitBreaker> {
        if (reason._tag === "Uncertain") {
          yield* metrics.count("generations_uncertain_total", {})
          yield* Effect.logWarning("fal's answer to a submit was lost: it may be paid already", { taskId, detail: reason.detail })
          return yield* later("uncertain", `fal's answer to the submit was lost: ${reason.detail}`, {
            counted: false,
            atLeast: yield* grace
          })
        }
        if (reason._tag === "AcceptedWithoutId") {
          yield* Entry.advance(taskId, intended, { ...intended, accepted: true })
          yield* charged(endpoint, "wasted", null)
          yield* metrics.count("generations_total", { outcome: reason._tag })
          yield* Effect.logError("fal accepted a request and named no request id: look for it in fal's history", {
            taskId,
            seed: input["seed"],
            detail: reason.detail
          })
          return yield* acceptedWithoutId
        }
        yield* Entry.advance(taskId, intended, before)
        if (reason._tag === "AccountProblem") return yield* refused(reason)
        if (reason._tag === "Refused") return yield* TaskFailure.contentRefused(reason.detail)
        if (reason._tag === "Busy") {
          yield* busy(endpoint, reason)
          return yield* later("fal busy", `fal: ${reason.detail}`, { counted: true, atLeast: reason.retryAfter ?? 0 })
        }
        // While fal takes nobody's, it is no fault of this task's.
        return yield* later("fal unreachable", `fal: ${reason.detail}`, { counted: !(yield* isDown) })
      })
    ),
    Effect.uninterruptible
  )
})

/** A request of which fal has seen nothing yet. */
export const submit = (payer: Payer, endpoint: string, input: Schema.JsonObject) =>
  inTurn(submitNow(payer, undefined, endpoint, input, 0))

/**
 * One whose answer was lost: after its grace it is made again, as often as it may be, else given up. The same input, so that
 * its seed can be found in fal's history.
 */
export const resubmit = Effect.fnUntraced(function* (payer: Payer, lost: Entry.Intended) {
  if (lost.accepted === true) return yield* acceptedWithoutId
  const waited = ((yield* Clock.currentTimeMillis) - lost.at) / 1000
  const left = (yield* grace) - waited
  if (left > 0) return yield* later("uncertain", "an earlier submit got no answer", { counted: false, atLeast: left })
  const { FAL_UNCERTAIN } = yield* Settings.of("FAL_UNCERTAIN").pipe(Effect.orDie)
  if (FAL_UNCERTAIN === "fail" || lost.resubmits >= MAX_RESUBMITS) {
    const metrics = yield* Metrics
    const times = lost.resubmits === 0 ? "once" : `${lost.resubmits + 1} times`
    yield* metrics.count("generations_uncertain_ended_total", { how: "failed" })
    yield* Effect.logError("a submit whose answer was lost is given up: look for it in fal's history", {
      taskId: payer.id,
      seed: lost.input["seed"]
    })
    return yield* TaskFailure.generationError(`fal's answer to the submit was lost ${times}: not asked again`)
  }
  return yield* inTurn(submitNow(payer, lost, lost.endpoint, lost.input, lost.resubmits + 1))
})
