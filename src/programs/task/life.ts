import { Option } from "effect"
import type { LifeEvent, Told } from "../../services/TaskLives.ts"
import * as Text from "../../wire/Text.ts"
import { type Attempt, isRedelivered } from "./Attempt.ts"

/** What the steps that end an attempt tell of it. */

type Any = Omit<Attempt<never>, "program">
type Of<Tag extends LifeEvent["_tag"]> = Extract<LifeEvent, { readonly _tag: Tag }>
type Own<Tag extends LifeEvent["_tag"]> = Omit<Of<Tag>, "_tag" | "by" | "waitedMs" | "heldMs">

/** Whether it may be asked what became of the task although all goes well: it pays, or something has gone wrong before. */
const isWorthIt = (attempt: Any) => attempt.pays || attempt.message.retries > 0 || isRedelivered(attempt)

const held = (attempt: Any) => {
  const { context, delivery, message, startedAt } = attempt
  const due = Option.getOrElse(message.eta, () => 0)
  const waited = startedAt - Math.max(delivery.seenSince, due)
  return {
    by: context.worker.name,
    heldMs: Math.max(0, Math.round(context.clock.currentTimeMillisUnsafe() - startedAt)),
    // We don't know when a redelivered message first arrived.
    ...(isRedelivered(attempt) ? {} : { waitedMs: Math.max(0, Math.round(waited)) })
  }
}

export const succeeded = (attempt: Any, value: Readonly<Record<string, unknown>>): Told | undefined => {
  if (!isWorthIt(attempt)) return undefined
  const rowId = attempt.pays ? Text.textOf(value["id"]) : undefined
  const { id: taskId, task } = attempt.message
  const event = { _tag: "Ended" as const, ...held(attempt), task, status: "SUCCESS", ...(rowId === undefined ? {} : { rowId }) }
  return { taskId, event }
}

/** Of a task that ends otherwise, always. */
export const ended = (attempt: Any, status: "SUCCESS" | "FAILURE" | "REVOKED", why: string): Told => ({
  taskId: attempt.message.id,
  event: { _tag: "Ended", ...held(attempt), task: attempt.message.task, status, why }
})

export const retried = (attempt: Any, own: Own<"Retried">): Told => ({
  taskId: attempt.message.id,
  event: { _tag: "Retried", ...held(attempt), ...own }
})

export const parked = (attempt: Any, own: Own<"Parked">): Told | undefined =>
  isWorthIt(attempt) ? { taskId: attempt.message.id, event: { _tag: "Parked", ...held(attempt), ...own } } : undefined

export const handedBack = (attempt: Any, own: Own<"HandedBack">): Told => ({
  taskId: attempt.message.id,
  event: { _tag: "HandedBack", ...held(attempt), ...own }
})
