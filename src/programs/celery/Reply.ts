import type { ResultTuple, TaskResult } from "../../services/ResultStore.ts"
import type { Schema } from "effect"
import type { Message } from "./Message.ts"
import * as TaskFailure from "./TaskFailure.ts"

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {} // own keys only

/** The task that a result document belongs to. */
export interface Whose {
  readonly id: string
  readonly group: string | null
  readonly parentId: string | null
  /** The fields that `result_extended` adds. */
  readonly extended?: Extended | undefined
}

/** The task's name, arguments and the like, for the reader of its result; null where they could not be read. */
export type Extended = Readonly<Record<string, unknown>>

/** The extended fields of a message. Its stamps stand beside the others and never replace one. */
export const extended = ({ args, envelope, kwargs, retries, task }: Message, worker: string): Extended => {
  const info = record(envelope.properties?.["delivery_info"])
  const own = { name: task, args, kwargs, worker, retries, queue: info["routing_key"] ?? null }
  const stamps = record(envelope.headers["stamps"])
  return Object.keys(stamps).length === 0
    ? own
    : { ...own, stamped_headers: envelope.headers["stamped_headers"] ?? null, ...stamps, ...own }
}

/** UTC with microseconds and no offset, as Celery 5.3 writes `date_done`. */
const dateDone = (now: number) => new Date(now).toISOString().replace("Z", "000")

const document = (
  whose: Whose,
  rest: Pick<TaskResult, "status" | "result" | "traceback" | "children" | "date_done">
): TaskResult => {
  const own = {
    ...rest,
    ...(whose.group === null ? {} : { group_id: whose.group }),
    ...(whose.parentId === null ? {} : { parent_id: whose.parentId })
  }
  return { ...own, ...whose.extended, ...own, task_id: whose.id }
}

/** Python's `[[id, parent], children]`. */
export const taskTuple = (id: string): Schema.Json => [[id, null], null]
export const tuple = ({ children, id, parent }: ResultTuple): Schema.Json => [
  [id, parent === null ? null : tuple(parent)],
  children === null ? null : children.map(tuple)
]
export const groupTuple = (id: string, taskIds: ReadonlyArray<string>): Schema.Json => [[id, null], taskIds.map(taskTuple)]

export const started = (whose: Whose, by: { readonly pid: number; readonly name: string }) =>
  document(whose, {
    status: "STARTED",
    result: { pid: by.pid, hostname: by.name },
    traceback: null,
    children: [],
    date_done: null
  })

export const success = (whose: Whose, result: Schema.Json, children: ReadonlyArray<Schema.Json>, now: number) =>
  document(whose, { status: "SUCCESS", result, traceback: null, children, date_done: dateDone(now) })

export const failure = (whose: Whose, failure: TaskFailure.TaskFailure, now: number) =>
  document(whose, {
    status: "FAILURE",
    result: TaskFailure.document(failure),
    traceback: null,
    children: [],
    date_done: dateDone(now)
  })

/**
 * The reason is the exception that led to the retry. The task's own id is its child, because Celery sends a retry as a new
 * message.
 */
export const retry = (whose: Whose, failure: TaskFailure.TaskFailure, now: { readonly delaySeconds: number }) =>
  document(whose, {
    status: "RETRY",
    result: TaskFailure.document(failure),
    traceback: `celery.exceptions.Retry: Retry in ${now.delaySeconds.toFixed(2)}s: ${failure.message}`,
    children: [taskTuple(whose.id)],
    date_done: null
  })

export const revoked = (whose: Whose, why: "revoked" | "expired" | "terminated", now: number) =>
  document(whose, {
    status: "REVOKED",
    result: { exc_type: "TaskRevokedError", exc_message: [why], exc_module: "celery.exceptions" },
    traceback: null,
    children: [],
    date_done: dateDone(now)
  })
