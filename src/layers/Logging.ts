import { Effect, Layer, Logger, Option, References } from "effect"
import * as Settings from "../services/Settings.ts"

const levels = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal",
  none: "None"
} as const

/** One JSON object a line off a terminal, colours on one; always on standard error, which leaves standard output to results. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    // A wrong one is named by the check of all settings, together with whatever else is wrong.
    const format = yield* Effect.option(Settings.of("LOG_FORMAT")).pipe(
      Effect.map(Option.flatMap(({ LOG_FORMAT }) => LOG_FORMAT)),
      Effect.map(Option.getOrElse(() => (process.stderr.isTTY ? "pretty" : "json")))
    )
    const level = yield* Effect.option(Settings.of("LOG_LEVEL")).pipe(
      Effect.map(Option.match({ onNone: () => "info" as const, onSome: ({ LOG_LEVEL }) => LOG_LEVEL }))
    )
    return Layer.mergeAll(
      Logger.layer([format === "pretty" ? Logger.consolePretty() : Logger.withConsoleError(Logger.formatJson)]),
      Layer.succeed(References.MinimumLogLevel, levels[level]),
      Layer.succeed(Logger.LogToStderr, true),
      // Nobody collects spans, and each costs a look at the stack.
      Layer.succeed(References.TracerEnabled, false)
    )
  })
)
