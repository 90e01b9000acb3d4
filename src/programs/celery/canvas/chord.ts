import { Option } from "effect"
import type { ChordPart, ResultTuple } from "../../../services/ResultStore.ts"
import * as Text from "../../../wire/Text.ts"
import { pythonRepr } from "../pythonRepr.ts"
import * as TaskFailure from "../TaskFailure.ts"

const chordError = (message: string) =>
  new TaskFailure.TaskFailure({ type: "ChordError", messages: [message], module: "celery.exceptions" })

/** Python's repr of the exception a document stands for. */
const exceptionRepr = (document: unknown) => {
  if (typeof document !== "object" || document === null || !("exc_type" in document)) return pythonRepr(document)
  const given = "exc_message" in document ? document.exc_message : []
  const name = typeof document.exc_type === "string" ? document.exc_type.split(".").at(-1) : "Exception"
  return Text.cut(`${name}(${(Array.isArray(given) ? given : [given]).map(pythonRepr).join(", ")})`, 2000)
}

/** Why the body of a chord is not sent: the first part, in the order of the header, that did not end well. */
export const dependencyFailure = (parts: ReadonlyArray<ChordPart>): Option.Option<TaskFailure.TaskFailure> => {
  const culprit = parts.find(({ status }) => status === "FAILURE" || status === "REVOKED")
  return culprit === undefined
    ? Option.none()
    : Option.some(chordError(`Dependency ${culprit.taskId} raised ${exceptionRepr(culprit.result)}`))
}

export const callbackFailure = (why: string) => chordError(`Callback error: ${why}`)

/**
 * The argument of a chord's body: the results of the parts, in the form of the header where that was saved because it is nested.
 */
export const gathered = (parts: ReadonlyArray<ChordPart>, shape: Option.Option<ResultTuple>): ReadonlyArray<unknown> => {
  const flat = parts.map(({ result }) => result)
  if (Option.isNone(shape) || shape.value.children === null) return flat
  const byId = new Map(parts.map(({ result, taskId }) => [taskId, result]))
  const take = ({ children, id }: ResultTuple): unknown => (children === null ? (byId.get(id) ?? null) : children.map(take))
  return shape.value.children.map(take)
}

/** Whether every task of a nested header is in: a stock worker may have written a size that is too small (apply.ts). */
export const complete = (parts: ReadonlyArray<ChordPart>, shape: Option.Option<ResultTuple>): boolean => {
  const ended = new Set(parts.map(({ taskId }) => taskId))
  const all = ({ children, id }: ResultTuple): boolean => (children === null ? ended.has(id) : children.every(all))
  return Option.isNone(shape) || all(shape.value)
}
