import { createHash } from "node:crypto"
import * as PythonJson from "../../services/PythonJson.ts"
import type { Message } from "./Message.ts"

/** The same for every way to write a value: keys in order, kombu's types as text, 1.0 as 1. */
const canonical = (value: unknown): unknown => {
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) return String(value)
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, canonical(inner)])
  )
}

const plain = (value: unknown) => {
  try {
    return PythonJson.plain(value)
  } catch {
    return PythonJson.numbers(value) // of a type that kombu does not know
  }
}

/**
 * Tells a task from another one under the same id, by its name and arguments: whoever sends it again, however it writes them, sends
 * the same task.
 */
export const digestOf = ({ args, kwargs, task }: Pick<Message, "args" | "kwargs" | "task">): string =>
  createHash("sha256")
    .update(JSON.stringify([task, canonical(plain(args)), canonical(plain(kwargs))]))
    .digest("base64url")
    .slice(0, 22)
