import "./needsNode.ts"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Layer } from "effect"
import { CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import { FetchHttpClient } from "effect/http"
import * as DotEnv from "./layers/process/DotEnv.ts"
import * as Live from "./layers/Live.ts"
import * as Logging from "./layers/process/Logging.ts"
import { check, warn } from "./layers/process/startCheck.ts"
import { lastWords, teardown } from "./programs/commands/outcome.ts"
import { workerCommand } from "./programs/commands/worker.ts"
import { VERSION } from "./programs/version.ts"
import * as Settings from "./services/Settings.ts"

/** A worker's log also says what may be a mistake; a command that asks says one thing, its answer. */
const worker = Layer.unwrap(Effect.as(Effect.andThen(check(Settings.names), warn()), Live.worker))

/** The exit code of a command that a signal ends: 130 for one that was cut off, 0 for one that runs until then. */
let stopped = 130
const untilStopped = Layer.effectDiscard(
  Effect.sync(() => {
    stopped = 0
  })
)

const workerAlone = workerCommand.pipe(Command.provide(worker.pipe(Layer.provideMerge(Logging.layer), Layer.merge(untilStopped))))
/** A worker starts sooner and smaller without the other commands, and runs for weeks. */
const others = process.argv[2] === "worker" ? [] : (await import("./commands.ts")).commands(untilStopped)

/** The parser's message without its own words for where it found it. */
const oneLine = (message: string) => message.replaceAll(/\s+/g, " ").replace("Expected: Schema validation failed: ", "")

const cli = Layer.mergeAll(
  // LOG_LEVEL is a setting like the others.
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.Wizard] }),
  CliOutput.layerPresenter({
    present: (event) =>
      event._tag === "InvalidInvocation"
        ? // The whole help would hide the one line that matters, and standard output is for results.
          Effect.forEach(event.errors, (error) => Console.error(`model-generator: ${oneLine(error.message)}`)).pipe(
            Effect.andThen(Console.error(`see: ${event.commandPath.join(" ")} --help`))
          )
        : CliOutput.defaultPresenter.present(event)
  })
)

// Left to itself Node opens its debugger at SIGUSR1, on a port that whoever is on this machine can take the process over by, and dies
// at SIGUSR2. A worker answers both.
for (const signal of ["SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => {})

Command.make("model-generator").pipe(
  Command.withDescription(
    "Makes fashion models with fal.ai: a supervised worker for Celery's queues, and what an operator needs"
  ),
  Command.withSubcommands([workerAlone, ...others]),
  Command.run({ version: VERSION }),
  Effect.tapCause((cause) => {
    const words = lastWords(cause)
    return words === "" ? Effect.void : Console.error(words)
  }),
  Effect.provide([NodeServices.layer, FetchHttpClient.layer, cli, DotEnv.layer()]),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: teardown(() => stopped) })
)
