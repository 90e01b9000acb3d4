import { Effect, type Schema } from "effect"
import * as Text from "../../wire/Text.ts"
import type { Program, Result } from "./Task.ts"
import { pythonRepr } from "../celery/pythonRepr.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"

// Celery's own tasks may answer with any value; `Result` is made for ours, which all answer with an object.
const answer = (value: unknown): Result => ({ value: value as Schema.JsonObject, children: [] })

/** Collects the results of a group that a task was replaced by. */
const accumulate: Program<never> = {
  name: "celery.accumulate",
  run: ({ args, kwargs }) => {
    const index = kwargs["index"] ?? null
    if (index === null) return Effect.succeed(answer(args))
    const at = typeof index === "number" ? index : Number.NaN
    return args.length > 0 && Number.isInteger(at) && at >= -args.length && at < args.length
      ? Effect.succeed(answer(args.at(at)))
      : Effect.fail(TaskFailure.validationError(`index: there is no argument ${Text.shorten(pythonRepr(index), 100)}`))
  }
}

/** Results in Redis expire by themselves, so there is nothing to clean. */
const backendCleanup: Program<never> = { name: "celery.backend_cleanup", run: () => Effect.succeed(answer(null)) }

const instead = (name: string, why: string): Program<never> => ({
  name,
  run: () => Effect.fail(new TaskFailure.TaskFailure({ type: "NotImplementedError", messages: [why], module: "builtins" }))
})

/**
 * The tasks that every Celery worker knows. A map or chunk would run many paid tasks as one that cannot be resumed, so they fail
 * with advice on what to send instead.
 */
export const builtin: ReadonlyArray<Program<never>> = [
  accumulate,
  backendCleanup,
  instead("celery.map", "this worker does not run several tasks as one: send a group"),
  instead("celery.starmap", "this worker does not run several tasks as one: send a group"),
  instead("celery.chunks", "this worker does not run several tasks as one: send a group"),
  instead("celery.chord_unlock", "the Redis result backend counts chords itself: this worker does not poll for them")
]
