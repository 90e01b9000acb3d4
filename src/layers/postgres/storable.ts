import type { Schema } from "effect"

/** PostgreSQL stores neither NUL nor half a surrogate pair, and no such character is worth a picture that is paid for. */
export const storable = (text: string) => text.toWellFormed().replaceAll("\0", "\ufffd")

/** The same for every text and key within. */
export const storableJson = (value: Schema.Json): unknown => {
  if (typeof value === "string") return storable(value)
  if (Array.isArray(value)) return value.map(storableJson)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storable(key), storableJson(inner)]))
}
