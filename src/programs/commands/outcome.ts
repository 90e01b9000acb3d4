import { Cause, Config, Data, Effect, Exit, Predicate, type Runtime } from "effect"
import { CliError } from "effect/cli"
import { BadSettings } from "../../services/Settings.ts"
import { MemoryExceeded } from "../worker/memory.ts"

/** The command did what it could and the answer is no. Its message is all there is to say; "" when that has been said. */
export class Failed extends Data.TaggedError("Failed")<{ readonly message: string }> {}
/** The flags contradict each other, which the parser cannot see. */
export class WrongUse extends Data.TaggedError("WrongUse")<{ readonly message: string }> {}

const messageOf = (value: unknown): string => {
  if (value instanceof AggregateError) return messageOf(value.errors[0]) // Node's, when a name has several addresses
  // Of a transaction that Redis refused: the reason is that of the command it refused.
  if (Predicate.hasProperty(value, "previousErrors") && Array.isArray(value.previousErrors) && value.previousErrors.length > 0)
    return messageOf(value.previousErrors[0])
  const message = Predicate.hasProperty(value, "message") && typeof value.message === "string" ? value.message : String(value)
  return message === "" && Predicate.hasProperty(value, "code") ? String(value.code) : message
}

const taken = (cause: unknown) => Predicate.hasProperty(cause, "code") && cause.code === "EADDRINUSE"

/** An expected error in one line for a person: what is wrong and what to do about it. */
export const explain = (error: unknown): string => {
  if (!Predicate.hasProperty(error, "_tag")) return messageOf(error)
  const cause = Predicate.hasProperty(error, "cause") ? error.cause : undefined
  const operation = Predicate.hasProperty(error, "operation") ? String(error.operation) : ""
  switch (error._tag) {
    case "QueueError":
      return `the queue cannot be reached (${operation}: ${messageOf(cause)}): is Redis up, and are CELERY_BROKER_URL and REDIS_PASSWORD right?`
    case "ResultStoreError":
      return `the results cannot be reached (${operation}: ${messageOf(cause)}): is Redis up, and are CELERY_RESULT_BACKEND and REDIS_PASSWORD right?`
    case "LibraryError":
      return `the database: ${messageOf(error)}`
    case "ServeError":
      return taken(cause)
        ? `the metrics port is taken (${messageOf(cause)}): another worker on this machine? Set METRICS_PORT to a free one`
        : `the metrics port cannot be opened (${messageOf(cause)}): look at METRICS_HOST and METRICS_PORT`
    case "SimulatorError":
      return taken(cause)
        ? `the port is taken (${messageOf(cause)}): choose another with --port, or 0 for any`
        : `the simulator cannot listen: ${messageOf(cause)}`
    case "ConfigError":
      return messageOf(error).split("\n")[0] ?? "a setting is wrong"
    default:
      return messageOf(error)
  }
}

const isWrongUse = (error: unknown) =>
  CliError.isCliError(error) || error instanceof WrongUse || error instanceof BadSettings || error instanceof Config.ConfigError

/** As Celery's pool ends a child to be replaced (billiard's EX_RECYCLE): an end in order, which is not the last. */
const RECYCLE = 155

/** 0 done, 1 failed, 2 wrong use, 155 to be started again; `stopped` when a signal ended it. */
export const exitCode = (exit: Exit.Exit<unknown, unknown>, stopped: number): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.hasInterruptsOnly(exit.cause)) return stopped
  const error = Cause.squash(exit.cause)
  if (error instanceof MemoryExceeded) return RECYCLE
  // Asked for help is a success and comes here as one; shown help because no command was named is not.
  return isWrongUse(error) ? 2 : 1
}

/** What goes to standard error at the end. A defect is our mistake and comes with its stack. */
export const lastWords = (cause: Cause.Cause<unknown>): string => {
  const failure = cause.reasons.find(Cause.isFailReason)
  if (failure === undefined) return Cause.hasInterruptsOnly(cause) ? "" : `a defect in model-generator: ${Cause.pretty(cause)}`
  // The parser has presented its errors itself.
  if (CliError.isCliError(failure.error) || (failure.error instanceof Failed && failure.error.message === "")) return ""
  return `model-generator: ${explain(failure.error)}`
}

export const teardown =
  (stopped: () => number): Runtime.Teardown =>
  (exit, onExit) =>
    onExit(exitCode(exit, stopped()))

/** With `--json` a failure, too, is one document on standard output. */
export const inJson =
  (json: boolean, print: (document: unknown) => Effect.Effect<void>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    json
      ? Effect.tapError(self, (error) =>
          error instanceof Failed || error instanceof WrongUse
            ? Effect.void
            : print({
                status: "ERROR",
                error: { type: Predicate.hasProperty(error, "_tag") ? error._tag : "Error", message: explain(error) }
              })
        )
      : self
