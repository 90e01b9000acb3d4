import { Option } from "effect"
import type { TaskResult } from "../../services/ResultStore.ts"
import type * as Message from "../celery/Message.ts"
import type { Standing } from "./Task.ts"
import { afterCrashes } from "./crashes.ts"

/** Whether a claimed task is run now, and by which program, or why not. */
export type Admission<P> = { readonly _tag: "Admitted"; readonly program: P } | Refusal
export type Refusal =
  /** The journal cannot say how far the task has got. */
  | { readonly _tag: "StandingUnknown" }
  | { readonly _tag: "Expired" }
  /** `at` in Unix milliseconds. */
  | { readonly _tag: "NotDue"; readonly at: number }
  | { readonly _tag: "Revoked" }
  | { readonly _tag: "NotRegistered" }
  | { readonly _tag: "CrashedTooOften" }
  /** Its picture is paid, so it is not failed: it is tried again after `seconds`. */
  | { readonly _tag: "RestsAfterCrashes"; readonly seconds: number }
  | { readonly _tag: "AlreadySucceeded"; readonly before: TaskResult }
  /** Another message of the same id runs in this worker. */
  | { readonly _tag: "AlreadyRunning" }
  | { readonly _tag: "RateLimited"; readonly at: number }

export interface Facts<P> {
  readonly message: Pick<Message.Message, "expires" | "eta" | "crashes" | "rested">
  /** Unix milliseconds. */
  readonly now: number
  /** How far the task has got; `None` where the journal could not say. */
  readonly standing: Option.Option<Standing>
  /** Undefined where this worker knows no task of that name. */
  readonly program: P | undefined
  readonly isRevoked: boolean
  readonly isRunning: boolean
  /** Its result as an earlier delivery has stored it, where this is not the first. */
  readonly earlier: Option.Option<TaskResult>
  /** Takes the task's turn under its rate limit, or a place in the line. Gives when the task may start (Unix milliseconds). */
  readonly turn: () => number
}

/** A task that may have paid already has had its turn, and does not expire. */
export const hasBegun = (standing: Standing) => standing === "asked" || standing === "paid" || standing === "done"

/** The first refusal that applies, in this order. `turn` comes last: a turn is used up only by a task that is then run. */
export const admission = <P>(facts: Facts<P>): Admission<P> => {
  const { earlier, message, now, program } = facts
  if (Option.isNone(facts.standing)) return { _tag: "StandingUnknown" }
  const standing = facts.standing.value
  const begun = hasBegun(standing)
  if (isExpired(message, now) && !begun) return { _tag: "Expired" }
  if (Option.isSome(message.eta) && message.eta.value > now) return { _tag: "NotDue", at: message.eta.value }
  if (facts.isRevoked) return { _tag: "Revoked" }
  if (program === undefined) return { _tag: "NotRegistered" }
  const crashed = afterCrashes(message, standing)
  if (crashed === "lost") return { _tag: "CrashedTooOften" }
  if (crashed !== "run") return { _tag: "RestsAfterCrashes", seconds: crashed.restFor }
  // A SUCCESS under this id is not this task's while our picture is not there, or if the id was used before by another task.
  if (Option.isSome(earlier) && earlier.value.status === "SUCCESS" && (standing === "nothing" || standing === "done"))
    return { _tag: "AlreadySucceeded", before: earlier.value }
  if (facts.isRunning) return { _tag: "AlreadyRunning" }
  const at = begun ? now : facts.turn()
  return at > now ? { _tag: "RateLimited", at } : { _tag: "Admitted", program }
}

export const isExpired = ({ expires }: Pick<Message.Message, "expires">, now: number): boolean =>
  Option.isSome(expires) && expires.value <= now
