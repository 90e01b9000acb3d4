import { Cause, Clock, Effect, Option, Predicate, Schedule } from "effect"
import { type Insisting, Vitals } from "../../services/Vitals.ts"
import { explain } from "../explain.ts"

/**
 * Failures that a repetition would not change: under that key is something else, or a document that cannot be read. A follow-up
 * goes to a queue that the client names, to which this worker may have no right.
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
export const untilDone = <A, E extends { readonly _tag: string }, R>(what: string, call: Effect.Effect<A, E, R>) =>
  allUntilDone(() => what, call)

/** The same for several calls in a row, `what` being the one that is made now. */
export const allUntilDone = <A, E extends { readonly _tag: string }, R>(
  what: () => string,
  call: Effect.Effect<A, E, R>
): Effect.Effect<A, never, R> =>
  Effect.matchEffect(call, { onSuccess: Effect.succeed, onFailure: (first) => again(what, call, first) })

const again = <A, E extends { readonly _tag: string }, R>(what: () => string, call: Effect.Effect<A, E, R>, first: E) =>
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
    let known: E | undefined = first
    // The first failure is a turn of its own, so that it is logged and waited after like any other.
    const turn = Effect.suspend(() => {
      if (known === undefined) return call
      const error = known
      known = undefined
      return Effect.fail(error)
    })
    return turn.pipe(
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
    untilDone(what, run),
    (cause) => !Cause.hasInterrupts(cause),
    (cause) => Effect.logError(`cannot ${what}`, cause)
  )
