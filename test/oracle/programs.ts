/** The general tasks of `app.py`, as programs of ours. */
import { Duration, Effect, type Schema } from "effect"
import * as TaskFailure from "../../src/programs/celery/TaskFailure.ts"
import { type Program, type Result, RetryLater, type Task } from "../../src/programs/task/Task.ts"

// These answer with any value, as Python's do; our own all answer with an object.
const answer = (value: unknown): Result => ({ value: value as Schema.JsonObject, children: [] })
const program = (name: string, run: Program<never>["run"]): Program<never> => ({ name: `oracle.${name}`, run })
const number = (task: Task, name: string) => Number(task.kwargs[name])

const again = (message: string, atLeast: number) =>
  new RetryLater({
    reason: "fal busy", // what the metrics call it
    failure: new TaskFailure.TaskFailure({ type: "Flaky", messages: [message], module: "model_generator.errors" }),
    counted: true,
    atLeast
  })

export const programs: ReadonlyArray<Program<never>> = [
  program("echo", ({ args, kwargs }) => Effect.succeed(answer(Object.keys(kwargs).length > 0 ? [args, kwargs] : args))),
  program("one", ({ args, kwargs }) => Effect.succeed(answer(args[0] ?? kwargs["value"] ?? null))),
  program("note", ({ args }) => Effect.succeed(answer(args[0]))),
  program("count", ({ args }) => Effect.succeed(answer(args.length))),
  program("fail", ({ kwargs }) => {
    const type = String(kwargs["type"] ?? "ValueError")
    const messages = (kwargs["messages"] ?? ["boom"]) as ReadonlyArray<Schema.Json> // by the generator
    const module = type === "Boom" ? "model_generator.errors" : "builtins"
    return Effect.fail(new TaskFailure.TaskFailure({ type, messages, module }))
  }),
  program("flaky", (task) =>
    task.retries < number(task, "times") ? Effect.fail(again(`try ${task.retries}`, 0.1)) : Effect.succeed(answer(task.retries))
  ),
  program("later", () => Effect.fail(again("not now", 3600))),
  program("sleep", (task) => Effect.as(Effect.sleep(Duration.seconds(number(task, "seconds"))), answer(number(task, "seconds"))))
]
