import { Deferred, Effect, Option } from "effect"
import { type HardTimeLimit, type SoftTimeLimit, withTimeLimits } from "../runtime/TimeLimits.ts"
import type { Failure, Program, Result } from "./Task.ts"
import type { Attempt } from "./Attempt.ts"
import type { End } from "./ending.ts"

/**
 * Runs the program of an attempt within its limits. A revoke with terminate stops it early and cancels its request to fal. A run
 * that is stopped may still have a submit on its way, which is never cut short: `abandon` gets an effect that completes when that
 * run is over.
 */
export const run = <R>(
  { limits, request, task }: Attempt<R>,
  program: Program<R>,
  abandon: (over: Effect.Effect<unknown>) => Effect.Effect<void, never, R>
): Effect.Effect<End, Failure | SoftTimeLimit | HardTimeLimit, R> =>
  withTimeLimits(Effect.map(program.run(task), done), () => {
    const terminated = Deferred.makeUnsafe<End>()
    request.terminate = (signal) => Deferred.succeed(terminated, { _tag: "Terminated", signal })
    const finished: Effect.Effect<Option.Option<Result>, Failure, R> = program.afterSoftLimit === undefined
      ? Effect.succeedNone
      : Effect.flatMap(program.afterSoftLimit(task), (isDone) => (isDone ? Effect.asSome(program.run(task)) : Effect.succeedNone))
    return {
      ...limits,
      rescue: Effect.map(finished, Option.map(done)),
      orElse: Deferred.await(terminated),
      onLeft: abandon
    }
  })

const done = (result: Result): End => ({ _tag: "Done", result })
