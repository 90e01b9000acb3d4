import { Cause, Deferred, Duration, Effect, Exit, Latch, Option } from "effect"
import type { Request } from "../../services/Vitals.ts"
import { withTimeLimits } from "../pool/TimeLimits.ts"
import type { Failure, Program, Result, Task } from "../Task.ts"

/** How a run ended that did not fail. */
export type End = { readonly _tag: "Done"; readonly result: Result } | { readonly _tag: "Terminated"; readonly signal: string }

interface Limits {
  readonly soft: Duration.Duration
  readonly hard: Duration.Duration
}
/** Seconds; null where nothing is said. */
interface Wanted {
  readonly soft: number | null
  readonly hard: number | null
}

const first = (wanted: ReadonlyArray<number | null | undefined>, setting: Duration.Duration) => {
  const own = wanted.find((seconds) => typeof seconds === "number") ?? 0
  return own <= 0 ? setting : Duration.seconds(own) // 0 is no limit of its own, as in Celery
}

/** What the message says, or what was ordered for its kind, or the settings. */
export const limitsOf = (
  message: Wanted,
  ordered: Wanted | undefined,
  settings: { readonly TASK_SOFT_TIME_LIMIT: Duration.Duration; readonly TASK_TIME_LIMIT: Duration.Duration }
): Limits => ({
  soft: first([message.soft, ordered?.soft], settings.TASK_SOFT_TIME_LIMIT),
  hard: first([message.hard, ordered?.hard], settings.TASK_TIME_LIMIT)
})

/**
 * Runs the program within its limits; a revoke with terminate ends it early, and the request to fal with it. Of what it leaves
 * behind `abandon` is told, with when the run will be over: a submit that is on its way is not cut short.
 */
export const run = <R>(
  program: Program<R>,
  task: Task,
  request: Request,
  limits: Limits,
  abandon: (over: Effect.Effect<unknown>) => Effect.Effect<void, never, R>
) => {
  const over = Latch.makeUnsafe(false)
  const abandoned = abandon(over.await)
  const terminated = Deferred.makeUnsafe<{ readonly signal: string }>()
  request.terminate = (signal) => Deferred.succeed(terminated, { signal })
  const rescue: Effect.Effect<Option.Option<Result>, Failure, R> = program.salvage === undefined
    ? Effect.succeedNone
    : Effect.flatMap(program.salvage(task), (done) => (done ? Effect.asSome(program.run(task)) : Effect.succeedNone))
  return withTimeLimits(Effect.ensuring(program.run(task), over.open), { ...limits, rescue }).pipe(
    Effect.map((result): End => ({ _tag: "Done", result })),
    Effect.raceFirst(Effect.map(Deferred.await(terminated), ({ signal }): End => ({ _tag: "Terminated", signal }))),
    Effect.tap((end) => (end._tag === "Terminated" ? abandoned : Effect.void)),
    Effect.tapErrorTag("HardTimeLimit", () => abandoned)
  )
}

/** How the program ended. */
export type Ended = Exit.Exit<End, Effect.Error<ReturnType<typeof run>>>

/** It has not begun, or is to begin once more: nothing is told of it. */
export const isAside = (exit: Ended) => {
  if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return true // another will run it
  const failure = Option.getOrUndefined(Exit.findErrorOption(exit))
  return failure?._tag === "NotYet" || failure?._tag === "PutBack" || failure?._tag === "Blocked"
}
