/** Python's `repr` of a JSON value, which events and logs of Celery show instead of the value. */

const escapes: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const text = (value: string) => {
  // Python prefers single quotes, and switches when only those occur in the text.
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'"
  let out = ""
  for (const char of value) {
    const code = char.codePointAt(0)!
    if (escapes[char] !== undefined) out += escapes[char]
    else if (char === quote) out += `\\${quote}`
    else if (code < 0x20 || (code >= 0x7f && code <= 0xa0) || code === 0xad) out += `\\x${code.toString(16).padStart(2, "0")}`
    else if (code >= 0xd800 && code <= 0xdfff) out += `\\u${code.toString(16)}`
    else out += char
  }
  return quote + out + quote
}

const float = (value: number) => {
  if (Number.isNaN(value)) return "nan"
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf"
  const shown = String(value)
  // Python writes at least two digits of exponent.
  return shown.replace(/e([+-])(\d)$/, "e$10$2")
}

export const pythonRepr = (value: unknown): string => {
  if (value === null || value === undefined) return "None"
  if (value === true) return "True"
  if (value === false) return "False"
  if (typeof value === "string") return text(value)
  if (typeof value === "number") return float(value)
  if (typeof value === "bigint") return String(value)
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(", ")}]`
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(([key, inner]) => `${text(key)}: ${pythonRepr(inner)}`)
      .join(", ")}}`
  return text(typeof value)
}

/** As Celery shortens what it shows. */
export const cut = (shown: string, longest = 1024) => (shown.length > longest ? `${shown.slice(0, longest - 3)}...` : shown)

/** A tuple's repr, which is what positional arguments are. */
export const tupleRepr = (values: ReadonlyArray<unknown>) =>
  values.length === 1 ? `(${pythonRepr(values[0])},)` : `(${values.map(pythonRepr).join(", ")})`
