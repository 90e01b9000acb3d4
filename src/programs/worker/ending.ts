import { Cause, Clock, Effect, Exit, Option, Predicate, Schedule } from "effect"
import type { Metrics } from "../../services/Metrics.ts"
import type { Delivery, TaskQueue } from "../../services/TaskQueue.ts"
import * as Text from "../../services/Text.ts"
import { type Insisting, Vitals } from "../../services/Vitals.ts"
import type { Step } from "../celery/canvas/carryOut.ts"
import { explain } from "../explain.ts"

/**
 * What Redis has answered stays as it is: there is something else under that key, or a document that is none. A follow-up goes where
 * a client says, which may be a queue that this worker has no right to.
 */
const isLasting = (error: object) => {
  const operation = Predicate.hasProperty(error, "operation") ? error.operation : undefined
  const cause = Predicate.hasProperty(error, "cause") ? String(error.cause) : ""
  return (
    operation === "read" || /\bWRONGTYPE\b/.test(cause) || (operation === "publishOnce" && /\bNOPERM\b.*\bkeys?\b/.test(cause))
  )
}

/**
 * Redis is asked again until it answers: nothing is acknowledged before its result is stored, and meanwhile we hold it. An answer
 * that will always be the same is a defect. A worker's vitals know what it waits for.
 */
export const insist = <A, E extends { readonly _tag: string }, R>(what: string, call: Effect.Effect<A, E, R>) =>
  insistOnAll(() => what, call)

/** The same for several calls in a row, `what` being the one that is made now. */
const insistOnAll = <A, E extends { readonly _tag: string }, R>(what: () => string, call: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.serviceOption(Vitals), (vitals) => {
    let failing: Insisting | undefined
    const noted = (error: E) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (Option.isNone(vitals)) return
        failing ??= { what: what(), store: error._tag === "ResultStoreError" ? "results" : "queue", since: now, why: "" }
        failing.why = explain(error)
        vitals.value.insisting.add(failing)
        vitals.value.noticed.openUnsafe()
      })
    const done = Effect.sync(() => {
      if (failing !== undefined && Option.isSome(vitals)) vitals.value.insisting.delete(failing)
    })
    return call.pipe(
      Effect.tapError((error) => Effect.andThen(noted(error), Effect.logWarning(`cannot ${what()} yet`, error))),
      Effect.retry({
        while: (error) => !isLasting(error),
        schedule: Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")])
      }),
      Effect.ensuring(done),
      Effect.orDie
    )
  })

/** Runs the step and logs whatever is wrong with it, so that the steps after it do not depend on it. */
export const tried = <E extends { readonly _tag: string }, R>(what: string, run: Effect.Effect<void, E, R>) =>
  Effect.catchCauseIf(
    insist(what, run),
    (cause) => !Cause.hasInterrupts(cause),
    (cause) => Effect.logError(`cannot ${what}`, cause)
  )

/** The same as a person reads it. */
export const defect = (cause: Cause.Cause<unknown>) => Text.line(Cause.prettyErrors(cause)[0]?.message ?? "unknown", 500)

/** Where the dead letters cannot be written to either (milliseconds). */
const AGAIN = 3_600_000

/** The last steps of a message's life. */
export const makeEnding = (queue: TaskQueue["Service"], metrics: Metrics["Service"]) => {
  /** Needs nothing of a message but its bytes, and nothing of Redis but the list of dead letters. */
  const bury = Effect.fnUntraced(function* (delivery: Delivery, reason: string, error: string) {
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
  const buryAndTell = (delivery: Delivery, reason: string, error: string, steps: Effect.Effect<ReadonlyArray<Step>>) =>
    Effect.gen(function* () {
      yield* bury(delivery, reason, error)
      for (const { run, what } of yield* steps) yield* tried(what, run)
    })

  /**
   * Takes the steps in their order, then acknowledges. When Redis does not answer to one of them, all are taken again once it does:
   * it may be a replica by then, which has not heard of those before. When one has a defect the message is put aside first, and
   * then the others are tried.
   */
  const end = Effect.fnUntraced(function* (delivery: Delivery, steps: ReadonlyArray<Step>) {
    let at = 0
    const what = () => steps[at]?.what ?? "acknowledge"
    const all = Effect.gen(function* () {
      for (at = 0; at < steps.length; at++) yield* steps[at]!.run
      yield* queue.acknowledge(delivery)
    })
    const exit = yield* Effect.exit(insistOnAll(what, all))
    const step = steps[at]
    if (Exit.isSuccess(exit) || Cause.hasInterrupts(exit.cause) || step === undefined) return yield* exit
    yield* Effect.logError(`cannot ${step.what}`, exit.cause)
    const left = [...(step.otherwise === undefined ? [] : [step.otherwise]), ...steps.slice(at + 1)]
    return yield* buryAndTell(delivery, BROKEN, `cannot ${step.what}: ${defect(exit.cause)}`, Effect.succeed(left))
  })

  return { bury, buryAndTell, end }
}

/** Why a message was put aside whose end has a defect. */
export const BROKEN = "could not be settled"
