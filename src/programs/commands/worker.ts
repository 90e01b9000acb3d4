import { Command } from "effect/cli"
import { Effect } from "effect"
import { worker } from "../worker/worker.ts"

/** Runs the worker until it is stopped. It takes no options: everything comes from its settings. */
export const workerCommand = Command.make("worker", {}, () => Effect.scoped(worker)).pipe(
  Command.withDescription(
    "Take tasks from the queue until stopped; SIGTERM or SIGHUP lets what runs finish, a second one hands it back; SIGUSR1 logs what it is doing"
  ),
  Command.withExamples([
    { command: "model-generator worker", description: "Work with the settings of the environment" },
    { command: "WORKER_CONCURRENCY=2 WORKER_NAME=second model-generator worker", description: "A second one beside it" }
  ])
)
