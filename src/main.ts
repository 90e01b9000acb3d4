import "./needsNode.ts"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Layer, References } from "effect"
import { CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import { FetchHttpClient } from "effect/http"
import * as DotEnv from "./layers/DotEnv.ts"
import * as Embedded from "./layers/Embedded.ts"
import * as Live from "./layers/Live.ts"
import * as Logging from "./layers/Logging.ts"
import * as Migrations from "./layers/Migrations.ts"
import * as PostgresPg from "./layers/PostgresPg.ts"
import { check, warn } from "./layers/startCheck.ts"
import { batch } from "./programs/commands/batch.ts"
import { dead } from "./programs/commands/dead.ts"
import { demo } from "./programs/commands/demo.ts"
import { edit } from "./programs/commands/edit.ts"
import { falSimulator } from "./programs/commands/falSimulator.ts"
import { generate } from "./programs/commands/generate.ts"
import { health } from "./programs/commands/health.ts"
import { inspect } from "./programs/commands/inspect.ts"
import { migrate } from "./programs/commands/migrate.ts"
import { lastWords, teardown } from "./programs/commands/outcome.ts"
import { workerCommand } from "./programs/commands/worker.ts"
import { VERSION } from "./programs/version.ts"
import * as Settings from "./services/Settings.ts"

/** A layer behind a check of all the settings it reads, so that one message names every one that is wrong. */
const checked = <A, E, R>(names: ReadonlyArray<Settings.Name>, layer: Layer.Layer<A, E, R>) =>
  Layer.unwrap(Effect.as(check(names), layer))
/** A worker's log also says what may be a mistake; a command that asks says one thing, its answer. */
const worker = Layer.unwrap(Effect.as(Effect.andThen(check(Settings.names), warn()), Live.worker))

/** A command that asks says what is wrong itself, in its last line; the log would say it a second time. */
const quiet = Layer.mergeAll(Layer.succeed(References.MinimumLogLevel, "None"))

const client = checked(Live.clientSettings, Live.client).pipe(Layer.provideMerge(quiet))
const library = checked(Live.databaseSettings, Live.library).pipe(Layer.provideMerge(quiet))
const selfSettings = ["METRICS_HOST", "METRICS_PORT"] as const satisfies ReadonlyArray<Settings.Name>
const brokerSettings = [
  "CELERY_BROKER_URL",
  "REDIS_PASSWORD",
  "WORKER_NAME",
  "BROKER_FANOUT_PREFIX",
  "BROKER_FANOUT_PATTERNS"
] as const satisfies ReadonlyArray<Settings.Name>
const falSettings = [
  "FAL_KEY",
  "FAL_MODEL",
  "FAL_BASE_URL",
  "FAL_MAX_CONCURRENT",
  "FAL_RATE_LIMIT",
  "TASK_TIME_LIMIT"
] as const satisfies ReadonlyArray<Settings.Name>
const world = checked([...Live.clientSettings, ...Live.databaseSettings, ...falSettings], Live.survey).pipe(
  Layer.provideMerge(quiet)
)

/** The exit code of a command that a signal ends: 130 for one that was cut off, 0 for one that runs until then. */
let stopped = 130
const untilStopped = Layer.effectDiscard(
  Effect.sync(() => {
    stopped = 0
  })
)

const commands = [
  workerCommand.pipe(Command.provide(worker.pipe(Layer.provideMerge(Logging.layer), Layer.merge(untilStopped)))),
  demo(Embedded.worker),
  health(world, client, check(selfSettings), Effect.provide(Migrations.pending, PostgresPg.layer)),
  generate.pipe(Command.provide(client)),
  edit.pipe(Command.provide(client)),
  batch(client, library),
  dead.pipe(Command.provide(client)),
  inspect.pipe(Command.provide(checked(brokerSettings, Live.fleet).pipe(Layer.provideMerge(quiet)))),
  migrate(Migrations.migrate).pipe(
    Command.provide(checked(Live.databaseSettings, PostgresPg.layer).pipe(Layer.provideMerge(quiet)))
  ),
  falSimulator.pipe(Command.provide(untilStopped))
] as const

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
  Command.withSubcommands(commands),
  Command.run({ version: VERSION }),
  Effect.tapCause((cause) => {
    const words = lastWords(cause)
    return words === "" ? Effect.void : Console.error(words)
  }),
  Effect.provide([NodeServices.layer, FetchHttpClient.layer, cli, DotEnv.layer()]),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: teardown(() => stopped) })
)
