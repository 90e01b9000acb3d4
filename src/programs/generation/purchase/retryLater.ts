import type { AccountProblem } from "../../../services/Generator.ts"
import type { RetryReason } from "../../../services/Metrics.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import { PutBack, RetryLater } from "../../task/Task.ts"

/** The task is run again later: what for, and what it fails of when it may not be. */
export const later = (reason: RetryReason, detail: string, options: { readonly counted: boolean; readonly atLeast?: number }) =>
  new RetryLater({
    reason,
    failure: TaskFailure.generationError(detail),
    counted: options.counted,
    atLeast: options.atLeast ?? 0
  })

/** Nothing will be taken until a person has set the account right. */
export const pause = (problem: AccountProblem) =>
  new PutBack({ reason: "fal account", detail: `fal answered ${problem.status}: ${problem.detail}` })
