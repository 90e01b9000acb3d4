import { assert } from "@effect/vitest"
import * as TaskFailure from "../../src/programs/celery/TaskFailure.ts"
import * as PythonJson from "../../src/wire/PythonJson.ts"

/** Every text in it can be printed by Python. */
export const isPrintable = (value: unknown): boolean =>
  typeof value === "string"
    ? value.isWellFormed()
    : Array.isArray(value)
      ? value.every(isPrintable)
      : typeof value !== "object" || value === null || Object.entries(value).flat().every(isPrintable)

/** What a client gets of a failure: Python reads it, prints it, and it is short whatever was sent. */
export const checkFailure = (failure: TaskFailure.TaskFailure) => {
  const written = PythonJson.stringify(TaskFailure.document(failure))
  assert.isTrue(isPrintable(PythonJson.parse(written)), "a failure has half a character in it")
  assert.isBelow(written.length, 60_000, "a failure is too long")
}
