import { Cause, Clock, Effect, Exit, Option } from "effect"
import { type BurialReason, Metrics } from "../../services/Metrics.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import { type Claimed, type Delivery, TaskQueue } from "../../services/TaskQueue.ts"
import * as Text from "../../services/Text.ts"
import type { Step } from "../celery/canvas/carryOut.ts"
import type { NextClaim } from "./Attempt.ts"
import { insist, insistOnAll, tried } from "./insist.ts"

/** The last steps of a message's life. */

/** Why a message was put aside whose end has a defect. */
export const BROKEN = "could not be settled"

/** A defect as a person reads it. */
export const defect = (cause: Cause.Cause<unknown>) => Text.line(Cause.prettyErrors(cause)[0]?.message ?? "unknown", 500)

/** Where the dead letters cannot be written to either (milliseconds). */
const AGAIN = 3_600_000

/** Needs nothing of a message but its bytes, and nothing of Redis but the list of dead letters. */
export const bury = Effect.fnUntraced(function* (delivery: Delivery, reason: BurialReason, error: string) {
  const queue = yield* TaskQueue
  const metrics = yield* Metrics
  yield* Effect.logError("message put aside as a dead letter", { reason, error: Text.cut(error, 500) })
  yield* metrics.count("dead_letters_total", { reason })
  yield* insist("put a dead letter aside", queue.bury(delivery, { reason, error: Text.cut(error, 2000) })).pipe(
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterrupts(cause),
      (cause) =>
        Effect.logError("the dead letters cannot be written to: the message waits for an hour", cause).pipe(
          Effect.andThen(Clock.currentTimeMillis),
          Effect.flatMap((now) => insist("park a message", queue.hold(delivery, now + AGAIN)))
        )
    )
  )
})

/** Puts a message aside that nobody is left to wait for, then tries each step: none of them can keep it from being put aside. */
export const buryAndTell = Effect.fnUntraced(function* <R>(
  delivery: Delivery,
  reason: BurialReason,
  error: string,
  steps: Effect.Effect<ReadonlyArray<Step>, never, R>
) {
  const results = yield* ResultStore
  yield* bury(delivery, reason, error)
  const told = Effect.flatMap(
    steps,
    Effect.forEach((step) => tried(step.what, runOf(results, step)), { discard: true })
  )
  yield* Effect.catchDefect(told, (defect) => Effect.logError("nobody can be told", defect))
})

const runOf = (results: ResultStore["Service"], step: Step) => (step._tag === "Store" ? results.store(step.result) : step.run)

/**
 * Takes the steps in their order, then acknowledges, and claims the next message with the same command where `next` wants it. A
 * result that is the last of the steps goes along with the acknowledgement. When Redis does not answer to
 * one of them, all are taken again once it does: it may be a replica by then, which has not heard of those before. When one has a
 * defect the message is put aside first, and then the others are tried.
 */
export const finish = Effect.fnUntraced(function* (delivery: Delivery, steps: ReadonlyArray<Step>, next?: NextClaim) {
  const queue = yield* TaskQueue
  const results = yield* ResultStore
  const last = steps.at(-1)
  const result = last?._tag === "Store" ? last.result : undefined
  const before = result === undefined ? steps.length : steps.length - 1
  let at = 0
  const what = () => steps[at]?.what ?? "acknowledge"
  const acknowledge = claiming(next, (isWanted) => queue.acknowledge(delivery, { result, next: isWanted }))
  const all =
    before === 0
      ? acknowledge
      : Effect.gen(function* () {
          for (at = 0; at < before; at++) yield* runOf(results, steps[at]!)
          yield* acknowledge
        })
  const exit = yield* Effect.exit(insistOnAll(what, all))
  const step = steps[at]
  if (Exit.isSuccess(exit) || Cause.hasInterrupts(exit.cause) || step === undefined) return yield* exit
  yield* Effect.logError(`cannot ${step.what}`, exit.cause)
  const otherwise = step._tag === "Store" ? undefined : step.otherwise
  const left = [...(otherwise === undefined ? [] : [otherwise]), ...steps.slice(at + 1)]
  yield* buryAndTell(delivery, BROKEN, `cannot ${step.what}: ${defect(exit.cause)}`, Effect.succeed(left))
})

/** Makes a call that may claim the next message. Nothing comes between the claim and its note, or a stop could lose the message. */
export const claiming = <E, R>(
  next: NextClaim | undefined,
  call: (isWanted: boolean) => Effect.Effect<Option.Option<Claimed>, E, R>
): Effect.Effect<void, E, R> =>
  next === undefined
    ? Effect.asVoid(call(false))
    : Effect.uninterruptible(
        Effect.flatMap(next.isWanted, (isWanted) =>
          Effect.map(call(isWanted), (claimed) => {
            next.delivery = Option.getOrUndefined(claimed)
            next.foundNothing = isWanted && next.delivery === undefined
          })
        )
      )
