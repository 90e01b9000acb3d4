import { Cause, Clock, Effect, Option } from "effect"
import type { BurialReason } from "../../services/Metrics.ts"
import type { ResultStore } from "../../services/ResultStore.ts"
import type { Told } from "../../services/TaskLives.ts"
import type { Claimed, Delivery } from "../../services/TaskQueue.ts"
import * as Text from "../../wire/Text.ts"
import type { Step } from "../celery/canvas/followUps.ts"
import type { NextClaim } from "./Attempt.ts"
import type { TaskContext } from "./TaskContext.ts"
import { untilDone, allUntilDone, tried } from "./untilDone.ts"

/** The last steps of a message's life. */

type Needs = Pick<TaskContext, "metrics" | "queue" | "results">

/** The dead letter's reason when a step that ends the task has a defect. */
export const BROKEN = "could not be settled"

/** The first line of a defect, for a log line or a dead letter. */
export const defect = (cause: Cause.Cause<unknown>) => Text.line(Cause.prettyErrors(cause)[0]?.message ?? "unknown", 500)

/** How long the message is parked when it cannot even be written to the dead letters (milliseconds). */
const AGAIN = 3_600_000

/** Moves a message to the dead letters. The last resort: it uses only the message's bytes and that one list. */
export const bury = Effect.fnUntraced(function* (
  { metrics, queue }: Needs,
  delivery: Delivery,
  reason: BurialReason,
  error: string
) {
  yield* Effect.logError("message moved to the dead letters", { reason, error: Text.cut(error, 500) })
  yield* metrics.count("dead_letters_total", { reason })
  yield* untilDone("put a dead letter aside", queue.bury(delivery, { reason, error: Text.cut(error, 2000) })).pipe(
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterrupts(cause),
      (cause) =>
        Effect.logError("cannot write to the dead letters: the message is parked for an hour", cause).pipe(
          Effect.andThen(Clock.currentTimeMillis),
          Effect.flatMap((now) => untilDone("park a message", queue.hold(delivery, now + AGAIN)))
        )
    )
  )
})

/** Moves the message to the dead letters first, then tries each step: a step that fails cannot keep it from being moved. */
export const buryAndTell = Effect.fnUntraced(function* (
  context: Needs,
  delivery: Delivery,
  reason: BurialReason,
  error: string,
  steps: () => ReadonlyArray<Step>
) {
  yield* bury(context, delivery, reason, error)
  const told = Effect.suspend(() =>
    Effect.forEach(steps(), (step) => tried(step.what, runOf(context.results, step)), { discard: true })
  )
  yield* Effect.catchDefect(told, (defect) =>
    Effect.logError("the task of a buried message could not be reported as failed", defect)
  )
})

const runOf = (results: ResultStore["Service"], step: Step) => (step._tag === "Store" ? results.store(step.result) : step.run)

/**
 * Takes the steps in order, then acknowledges and tells of it; the same command claims the next message if `next` wants one, and stores the
 * result if that is the last step. If Redis does not answer a step, all steps are repeated when it answers again, because a
 * replica may have taken over that has not seen the earlier ones. If a step has a defect, the message goes to the dead letters
 * first and the other steps are tried after it.
 */
export const finish = (
  context: Needs,
  delivery: Delivery,
  steps: ReadonlyArray<Step>,
  next: NextClaim | undefined,
  told: Told | undefined
) => {
  const { queue, results } = context
  const last = steps.at(-1)
  const result = last?._tag === "Store" ? last.result : undefined
  const before = result === undefined ? steps.length : steps.length - 1
  let at = 0
  const what = () => steps[at]?.what ?? "acknowledge"
  const acknowledge = claiming(next, (isWanted) => queue.acknowledge(delivery, { result, next: isWanted, told }))
  const all =
    before === 0
      ? acknowledge
      : Effect.gen(function* () {
          for (at = 0; at < before; at++) yield* runOf(results, steps[at]!)
          yield* acknowledge
        })
  return Effect.catchCause(allUntilDone(what, all), (cause) => {
    const step = steps[at]
    if (Cause.hasInterrupts(cause) || step === undefined) return Effect.failCause(cause)
    const otherwise = step._tag === "Store" ? undefined : step.otherwise
    const left = [...(otherwise === undefined ? [] : [otherwise]), ...steps.slice(at + 1)]
    return Effect.andThen(
      Effect.logError(`cannot ${step.what}`, cause),
      buryAndTell(context, delivery, BROKEN, `cannot ${step.what}: ${defect(cause)}`, () => left)
    )
  })
}

/**
 * Makes a call that may claim the next message. It cannot be interrupted before the claim is noted, or a stop would lose the
 * message.
 */
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
