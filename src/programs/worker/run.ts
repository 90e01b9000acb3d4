import { Deferred, Effect, Latch, Option } from "effect"
import { withTimeLimits } from "../pool/TimeLimits.ts"
import type { Failure, Program, Result } from "../Task.ts"
import type { Attempt } from "./Attempt.ts"
import type { End } from "./ending.ts"

/**
 * Runs the program of an attempt within its limits. A revoke with terminate ends it early, and the request to fal with it.
 * `abandon` hears what a run leaves behind, with when that run will be over: a submit that is on its way is not cut short.
 */
export const run = Effect.fnUntraced(function* <R>(
  { limits, request, task }: Attempt<R>,
  program: Program<R>,
  abandon: (over: Effect.Effect<unknown>) => Effect.Effect<void, never, R>
) {
  const over = Latch.makeUnsafe(false)
  const terminated = Deferred.makeUnsafe<End>()
  request.terminate = (signal) => Deferred.succeed(terminated, { _tag: "Terminated", signal })
  const salvaged: Effect.Effect<Option.Option<Result>, Failure, R> = program.salvage === undefined
    ? Effect.succeedNone
    : Effect.flatMap(program.salvage(task), (done) => (done ? Effect.asSome(program.run(task)) : Effect.succeedNone))
  return yield* withTimeLimits(Effect.map(Effect.ensuring(program.run(task), over.open), done), {
    ...limits,
    rescue: Effect.map(salvaged, Option.map(done)),
    orElse: Deferred.await(terminated)
  }).pipe(
    Effect.tap((end) => (end._tag === "Terminated" ? abandon(over.await) : Effect.void)),
    Effect.tapErrorTag("HardTimeLimit", () => abandon(over.await))
  )
})

const done = (result: Result): End => ({ _tag: "Done", result })
