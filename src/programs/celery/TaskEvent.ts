import type { Schema } from "effect"
import type { Message } from "./Message.ts"
import { iso } from "./Message.ts"
import { cut, pythonRepr } from "./pythonRepr.ts"
import type { TaskFailure } from "./TaskFailure.ts"
import { Option } from "effect"

/** One event of a task's life, without what every event carries (celery-wire 6). */
export type TaskEvent = { readonly type: `task-${string}`; readonly uuid: string } & { readonly [field: string]: Schema.Json }

const moment = (at: Option.Option<number>) => Option.getOrNull(Option.map(at, iso))

export const received = (
  message: Message,
  shown: { readonly name: string; readonly argsrepr: string; readonly kwargsrepr: string }
): TaskEvent => ({
  type: "task-received",
  uuid: message.id,
  name: shown.name,
  args: shown.argsrepr,
  kwargs: shown.kwargsrepr,
  root_id: message.rootId,
  parent_id: message.parentId,
  retries: message.retries,
  eta: moment(message.eta),
  expires: moment(message.expires)
})
export const started = (id: string): TaskEvent => ({ type: "task-started", uuid: id })
export const succeeded = (id: string, result: Schema.Json, runtime: number): TaskEvent => ({
  type: "task-succeeded",
  uuid: id,
  result: cut(pythonRepr(result)),
  runtime
})

/** Python's repr of the exception a failure stands for. */
export const exceptionRepr = (failure: TaskFailure) => `${failure.type}(${failure.messages.map(pythonRepr).join(", ")})`
export const failed = (id: string, failure: TaskFailure): TaskEvent => ({
  type: "task-failed",
  uuid: id,
  exception: cut(exceptionRepr(failure)),
  traceback: failure.message
})
export const retried = (id: string, failure: TaskFailure, traceback: string): TaskEvent => ({
  type: "task-retried",
  uuid: id,
  exception: cut(exceptionRepr(failure)),
  traceback
})
export const revoked = (
  id: string,
  why: { readonly terminated: boolean; readonly signum: number | null; readonly expired: boolean }
): TaskEvent => ({
  type: "task-revoked",
  uuid: id,
  ...why
})
export const rejected = (id: string, requeue: boolean): TaskEvent => ({ type: "task-rejected", uuid: id, requeue })
