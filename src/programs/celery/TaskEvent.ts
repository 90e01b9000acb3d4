import type { Schema } from "effect"
import type { Message } from "./Message.ts"
import * as Text from "../../wire/Text.ts"
import { iso } from "./Time.ts"
import { pythonRepr, safeRepr } from "./pythonRepr.ts"
import type { TaskFailure } from "./TaskFailure.ts"
import { Option } from "effect"

/** One event of a task, without the fields that every event carries. */
export type TaskEvent = { readonly type: `task-${string}`; readonly uuid: string } & { readonly [field: string]: Schema.Json }

/** The time as its sender wrote it, to the microsecond and in its zone, in the one form Python writes. */
const moment = (at: Option.Option<number>, sent: unknown) => {
  if (Option.isNone(at)) return null
  const parts =
    typeof sent === "string" ? /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)?$/.exec(sent) : null
  if (parts === null) return iso(at.value)
  const [, date, time, fraction = "", zone = "Z"] = parts
  // Sent without an offset, and so a time of the worker's zone.
  if (parts[4] === undefined && !iso(at.value).startsWith(`${date}T${time}`)) return iso(at.value)
  const micros = fraction.padEnd(6, "0")
  return `${date}T${time}${micros === "000000" ? "" : `.${micros}`}${zone === "Z" ? "+00:00" : zone}`
}

export const received = (
  message: Message,
  shown: { readonly name: string; readonly argsrepr: string; readonly kwargsrepr: string }
): TaskEvent => ({
  type: "task-received",
  uuid: message.id,
  name: shown.name,
  args: shown.argsrepr,
  kwargs: shown.kwargsrepr,
  root_id: Text.cut(message.rootId, 1000),
  parent_id: message.parentId === null ? null : Text.cut(message.parentId, 1000),
  retries: message.retries,
  eta: moment(message.eta, message.envelope.headers["eta"]),
  expires: moment(message.expires, message.envelope.headers["expires"])
})
export const started = (id: string): TaskEvent => ({ type: "task-started", uuid: id })
export const succeeded = (id: string, result: Schema.Json, runtime: number): TaskEvent => ({
  type: "task-succeeded",
  uuid: id,
  result: safeRepr(result),
  runtime
})

/** Python's repr of the exception a failure stands for. */
export const exceptionRepr = (failure: TaskFailure) => `${failure.type}(${failure.messages.map(pythonRepr).join(", ")})`
export const failed = (id: string, failure: TaskFailure): TaskEvent => ({
  type: "task-failed",
  uuid: id,
  exception: Text.shorten(exceptionRepr(failure), 1024),
  traceback: failure.message
})
export const retried = (id: string, failure: TaskFailure, traceback: string): TaskEvent => ({
  type: "task-retried",
  uuid: id,
  exception: Text.shorten(exceptionRepr(failure), 1024),
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
