import * as PythonJson from "../../wire/PythonJson.ts"

/** Python's `repr` of a JSON value, which events and logs of Celery show instead of the value. */

const escapes: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }

/** Quotes, and what Python shows by a code; `\p{Cs}` is half a surrogate pair alone. */
const UNUSUAL = /[\\'"\p{Cc}\p{Cs}\u00a0\u00ad]/gu
const escaped = (char: string) => {
  const code = char.charCodeAt(0)
  return escapes[char] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`)
}

const text = (value: string) => {
  // Python prefers single quotes, and switches when only those occur in the text.
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'"
  return (
    quote +
    value.replaceAll(UNUSUAL, (char) => (char === "'" || char === '"' ? (char === quote ? `\\${quote}` : char) : escaped(char))) +
    quote
  )
}

const number = (value: number) => {
  if (Number.isNaN(value)) return "nan"
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf"
  return Number.isInteger(value) ? String(value) : PythonJson.floatText(value)
}

export const pythonRepr = (value: unknown): string => {
  if (value === null || value === undefined) return "None"
  if (value === true) return "True"
  if (value === false) return "False"
  if (typeof value === "string") return text(value)
  if (typeof value === "number") return number(value)
  if (value instanceof PythonJson.Float) return PythonJson.floatText(value.value)
  if (typeof value === "bigint") return String(value)
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(", ")}]`
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(([key, inner]) => `${text(key)}: ${pythonRepr(inner)}`)
      .join(", ")}}`
  return text(typeof value)
}

const DEEPEST = 3
const truncate = (shown: string, longest: number) => {
  if (shown.length < longest) return shown
  const chars = Array.from(shown.slice(0, 2 * longest)) // no more units than that are `longest` characters
  if (chars.length < longest) return shown
  const kept = chars.slice(0, longest).join("")
  const space = kept.lastIndexOf(" ")
  return `${space < 0 ? kept : kept.slice(0, space)}...`
}

/**
 * Celery's own `saferepr`, which it shows arguments and results by: text as it is, nothing deeper than three levels, and
 * what is too long cut off between two values, with its brackets closed.
 */
const safe = (value: unknown, isTuple: boolean): string => {
  let out = ""
  let left = 1024
  let full = false
  const put = (shown: string) => {
    if (full) return
    if (left <= 0) {
      full = true
      out += ", ..."
      return
    }
    out += shown
    left -= [...shown].length
  }
  const quoted = (shown: string) => put(`'${truncate(shown, left).replaceAll("'", "\\'")}'`)
  const list = <A>(items: ReadonlyArray<A>, brackets: readonly [string, string], level: number, each: (item: A) => void) => {
    if (level >= DEEPEST) return put(truncate(brackets.join("..."), left))
    put(brackets[0])
    items.forEach((item, at) => {
      if (full) return
      if (at > 0) put(", ")
      each(item)
    })
    if (full) out += brackets[1]
    else put(brackets[1])
  }
  const show = (inner: unknown, level: number): void => {
    if (full) return
    if (typeof inner === "string") quoted(inner)
    else if (Array.isArray(inner))
      list(inner, level === 0 && isTuple ? ["(", inner.length === 1 ? ",)" : ")"] : ["[", "]"], level, (one) =>
        show(one, level + 1)
      )
    else if (typeof inner === "object" && inner !== null && !(inner instanceof PythonJson.Float))
      list(Object.entries(inner), ["{", "}"], level, ([key, one]) => {
        quoted(key)
        put(": ")
        show(one, level + 1)
      })
    else put(truncate(pythonRepr(inner), left))
  }
  show(value, 0)
  return out.toWellFormed()
}

export const safeRepr = (value: unknown) => safe(value, false)
/** The repr of positional arguments, which are a tuple. */
export const safeArgsRepr = (values: ReadonlyArray<unknown>) => safe(values, true)
