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
    const { LOG_FORMAT, LOG_LEVEL } = yield* Settings.of("LOG_FORMAT", "LOG_LEVEL")
    const format = Option.getOrElse(LOG_FORMAT, () => (process.stderr.isTTY ? "pretty" : "json"))
    return Layer.mergeAll(
      Logger.layer([format === "pretty" ? Logger.consolePretty() : Logger.withConsoleError(Logger.formatJson)]),
      Layer.succeed(References.MinimumLogLevel, levels[LOG_LEVEL]),
      Layer.succeed(Logger.LogToStderr, true)
    )
  })
)
