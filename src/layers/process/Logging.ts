import { Cause, Effect, Formatter, Layer, Logger, Option, References } from "effect"
import * as Settings from "../../services/Settings.ts"

const levels = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal",
  none: "None"
} as const

const isRecord = (part: unknown): part is object => typeof part === "object" && part !== null && !Array.isArray(part)
const isShort = (value: unknown) =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null
const inWords = (error: unknown) => (error instanceof Error ? error.message : String(error))

/**
 * One JSON object a line: `timestamp`, `level`, `message` (always a text), then the annotations and all other data as fields of
 * their own. `error` is the text of an error; only a defect has `stack`, the place it came from.
 */
export const jsonLine = Logger.make(({ cause, date, fiber, logLevel, message }) => {
  const parts = Array.isArray(message) ? message : [message]
  const errors = [
    ...parts.filter((part) => part instanceof Error).map(inWords),
    ...Cause.prettyErrors(cause).map(({ message: text }) => text)
  ]
  const fields = parts.filter((part) => isRecord(part) && !(part instanceof Error))
  const own = {
    timestamp: date.toISOString(),
    level: logLevel.toUpperCase(),
    message: parts.filter((part) => !isRecord(part)).join(" ")
  }
  const line: Readonly<Record<string, unknown>> = {
    ...own, // they come first, and no data takes their place
    ...fiber.getRef(References.CurrentLogAnnotations),
    ...Object.assign({}, ...fields),
    ...(errors.length === 0 ? {} : { error: errors.join("; ") }),
    ...(Cause.hasDies(cause) ? { stack: Cause.pretty(cause) } : {}),
    ...own
  }
  // The formatter looks into each value for a secret or a circle. Neither can be in a text or a number.
  return Object.values(line).every(isShort) ? JSON.stringify(line) : Formatter.formatJson(line)
})

/**
 * Writes each line at once and in one piece. Lines are not gathered: a process that is killed would lose those of its last task.
 * `console.error` would format the text again and tell the inspector.
 */
const toStderr = Logger.map(jsonLine, (line) => void process.stderr.write(`${line}\n`))

/**
 * JSON lines into a file or pipe, coloured text on a terminal; always on standard error, so that standard output has results
 * only.
 */
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
    // As with `console.error`: when the reader of the log has gone away, the worker goes on.
    if (process.stderr.listenerCount("error") === 0) process.stderr.on("error", () => {})
    return Layer.mergeAll(
      Logger.layer([format === "pretty" ? Logger.consolePretty() : toStderr]),
      Layer.succeed(References.MinimumLogLevel, levels[level]),
      Layer.succeed(Logger.LogToStderr, true),
      // No exporter collects spans, and each span reads the stack.
      Layer.succeed(References.TracerEnabled, false)
    )
  })
)
