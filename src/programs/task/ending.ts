import { Cause, Exit, Option } from "effect"
import type { TaskFailure } from "../celery/TaskFailure.ts"
import type { HardTimeLimit, SoftTimeLimit } from "../runtime/TimeLimits.ts"
import type { Blocked, Failure, NotYet, PutBack, Result, RetryLater } from "./Task.ts"
import { isExhausted } from "./retryPolicy.ts"

/** How a run ended that did not fail. */
export type End = { readonly _tag: "Done"; readonly result: Result } | { readonly _tag: "Terminated"; readonly signal: string }

/** How the program of an attempt ended. */
export type Ended = Exit.Exit<End, Failure | SoftTimeLimit | HardTimeLimit>

/** The outcome of a run, as a decision about its task. */
export type Ending =
  | { readonly _tag: "Succeeded"; readonly result: Result }
  | { readonly _tag: "Terminated"; readonly signal: string }
  | { readonly _tag: "Failed"; readonly failure: TaskFailure }
  | { readonly _tag: "Retry"; readonly later: RetryLater }
  /** The task may not be retried any more. */
  | { readonly _tag: "Exhausted"; readonly later: RetryLater }
  /** No task of this kind can go well until a person acts. */
  | { readonly _tag: "PutBack"; readonly reason: PutBack }
  /** The task has not started: it waits for its turn. */
  | { readonly _tag: "Held"; readonly until: NotYet }
  /** The task has not started: a dependency is closed. */
  | { readonly _tag: "Parked"; readonly by: Blocked }
  | { readonly _tag: "SoftLimit" }
  | { readonly _tag: "HardLimit" }
  /** The program has a defect. */
  | { readonly _tag: "Broken"; readonly cause: Cause.Cause<unknown> }
  /** The worker stops, and the stop hands the message back. */
  | { readonly _tag: "Interrupted" }

export interface Tries {
  readonly retries: number
  /** How many of them do not count. */
  readonly uncounted: number
  readonly most: number
}

export const endingOf = (exit: Ended, tries: Tries): Ending => {
  if (Exit.isSuccess(exit)) return exit.value._tag === "Done" ? { _tag: "Succeeded", result: exit.value.result } : exit.value
  if (Cause.hasInterruptsOnly(exit.cause)) return { _tag: "Interrupted" }
  const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  switch (failure?._tag) {
    case undefined:
      return { _tag: "Broken", cause: exit.cause }
    case "TaskFailure":
      return { _tag: "Failed", failure }
    case "RetryLater":
      return { _tag: isExhausted(failure, tries) ? "Exhausted" : "Retry", later: failure }
    case "PutBack":
      return { _tag: "PutBack", reason: failure }
    case "NotYet":
      return { _tag: "Held", until: failure }
    case "Blocked":
      return { _tag: "Parked", by: failure }
    case "SoftTimeLimit":
      return { _tag: "SoftLimit" }
    case "HardTimeLimit":
      return { _tag: "HardLimit" }
  }
}

/** The task has not started, or will be started again: no event or metric reports it. */
export const isNotStarted = ({ _tag }: Ending): boolean =>
  _tag === "Held" || _tag === "Parked" || _tag === "PutBack" || _tag === "Interrupted"
