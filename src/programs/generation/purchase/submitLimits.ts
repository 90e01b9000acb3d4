import { Clock, Duration, Effect, Exit, Schedule } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { CIRCUIT } from "../../../services/Endpoints.ts"
import { Generator, GeneratorError } from "../../../services/Generator.ts"
import type { WaitReason } from "../../../services/Metrics.ts"
import * as Settings from "../../../services/Settings.ts"
import { NotYet } from "../../task/Task.ts"

/** The one account that all share. */
const FAL = "fal"
const DOWN = "fal is down"

const notYet = (reason: WaitReason, after: Duration.Duration) => new NotYet({ reason, after: Duration.toSeconds(after) })
const soon = Duration.seconds(1)
export const brokerAway = notYet("the broker is away", soon)

/** A task waits this long in its slot; then it makes room for others, which may be those that everybody waits for. */
const PATIENCE = Duration.seconds(5)
const asking = Schedule.spaced("400 millis").pipe(Schedule.jittered)

/** Asks again, while it is not yet the time, for a few seconds. */
export const inTurn = <A, E extends { readonly _tag: string }, R>(attempt: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Clock.currentTimeMillis, (start) =>
    Effect.retry(attempt, {
      schedule: asking,
      while: (error) =>
        Effect.map(Clock.currentTimeMillis, (now) => error._tag === "NotYet" && now - start < Duration.toMillis(PATIENCE))
    })
  )

/** Takes one of the FAL_RATE_LIMIT submits that the fleet may make in a minute. */
export const withinRate = Effect.gen(function* () {
  const { FAL_RATE_LIMIT: limit } = yield* Settings.of("FAL_RATE_LIMIT").pipe(Effect.orDie)
  if (limit === 0) return
  const limiter = yield* RateLimiter.RateLimiter
  yield* limiter
    .consume({ key: FAL, limit, window: "1 minute", onExceeded: "fail" })
    .pipe(
      Effect.mapError(({ reason }) =>
        reason._tag === "RateLimitExceeded" ? notYet("rate limit", reason.retryAfter) : brokerAway
      )
    )
})

/** Whether nothing is being submitted because fal takes nothing. */
export const isDown = Effect.gen(function* () {
  const breaker = yield* CircuitBreaker.CircuitBreaker
  return yield* Effect.match(breaker.state(CIRCUIT), { onFailure: () => false, onSuccess: ({ _tag }) => _tag !== "Closed" })
})

/** fal's own no is an answer too; what never came to a submit says nothing of fal. */
const judge = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  const error = Exit.findErrorOption(exit)
  if (error._tag === "None") return CircuitBreaker.ignored
  if (error.value instanceof NotYet) return error.value.reason === DOWN ? CircuitBreaker.failure() : CircuitBreaker.ignored
  if (!(error.value instanceof GeneratorError)) return CircuitBreaker.ignored
  const { _tag } = error.value.reason
  return _tag === "Unreachable" || _tag === "Uncertain" || _tag === "AcceptedWithoutId"
    ? CircuitBreaker.failure()
    : CircuitBreaker.success
}

/** A question that costs nothing. Whatever the answer is, it is one. */
const isThere = Effect.gen(function* () {
  const generator = yield* Generator
  yield* generator.probe
}).pipe(
  Effect.catchTag("GeneratorError", ({ reason }) =>
    reason._tag === "Unreachable" ? Effect.fail(notYet(DOWN, soon)) : Effect.void
  )
)

/** A submit that asks the circuit for nothing, as all is well: it tells only that fal did not take it. */
export const tellingFailure = <A, E, R>(submit: Effect.Effect<A, E, R>) =>
  Effect.onExit(submit, (exit) =>
    Effect.gen(function* () {
      if (judge(exit)._tag !== "Failure") return
      const breaker = yield* CircuitBreaker.CircuitBreaker
      yield* Effect.exit(breaker.execute(exit, { key: CIRCUIT, classify: judge }))
    })
  )

/**
 * A submit through the circuit that all workers share: open, nothing is sent. After a while one of them asks fal a question that
 * costs nothing, and only when that is answered submits.
 */
export const whileUp = <A, E, R>(submit: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.CircuitBreaker
    // Only the one that is to find out gets there while the circuit is not closed.
    const carefully = Effect.andThen(
      Effect.flatMap(isDown, (down) => (down ? isThere : Effect.void)),
      submit
    )
    return yield* breaker.execute(carefully, { key: CIRCUIT, classify: judge })
  }).pipe(
    Effect.catchIf(
      (error): error is CircuitBreaker.CircuitBreakerError => error instanceof CircuitBreaker.CircuitBreakerError,
      ({ reason }) =>
        Effect.fail(
          reason._tag === "CircuitBreakerStoreError"
            ? brokerAway
            : notYet(DOWN, reason._tag === "CircuitOpen" ? reason.retryAfter : soon)
        )
    )
  )
