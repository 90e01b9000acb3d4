import { Cause, Config, Data, Effect, Exit, Predicate, type Runtime } from "effect"
import { CliError } from "effect/cli"
import { BadSettings } from "../../services/Settings.ts"
import { explain } from "../explain.ts"
import { MemoryExceeded } from "../worker/memory.ts"

/** The command did what it could and the answer is no. Its message is all there is to say; "" when that has been said. */
export class Failed extends Data.TaggedError("Failed")<{ readonly message: string }> {}
/** The flags contradict each other, which the parser cannot see. */
export class WrongUse extends Data.TaggedError("WrongUse")<{ readonly message: string }> {}

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

/** The text for standard error when a command fails. A defect is a bug of ours and comes with its stack. */
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
