import { createHash } from "node:crypto"
import * as PythonJson from "../../wire/PythonJson.ts"

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

/** The same for the same values, however they were written. */
export const digest = (...values: ReadonlyArray<unknown>): string =>
  createHash("sha256")
    .update(JSON.stringify(values.map((value) => canonical(plain(value)))))
    .digest("base64url")
    .slice(0, 22)
