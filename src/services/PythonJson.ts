/**
 * JSON as Python's `json` module reads and writes it: integers of any size (here `bigint` beyond 2^53), and the bare words
 * `NaN`, `Infinity` and `-Infinity`, all of which `JSON.parse` would refuse or quietly change.
 */

/** Deeper nesting is refused: nothing honest needs it, and code that walks a value may recurse. */
export const MAX_DEPTH = 100

const QUOTE = 34
const BACKSLASH = 92
const isDigit = (code: number) => code >= 48 && code <= 57

/** One pass over the text outside strings: how deep it nests, and where words and long numbers are that need care. */
const survey = (text: string) => {
  let depth = 0
  let deepest = 0
  let digits = 0
  let long = false
  const words: Array<number> = []
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      for (at++; at < text.length && text.charCodeAt(at) !== QUOTE; at++) if (text.charCodeAt(at) === BACKSLASH) at++
    } else if (code === 123 || code === 91) {
      if (++depth > deepest) deepest = depth
    } else if (code === 125 || code === 93) depth--
    else if (code === 78 /* N */ || code === 73 /* I */) words.push(at)
    digits = isDigit(code) ? digits + 1 : 0
    if (digits > 15) long = true
  }
  return { deepest, long, words }
}

// Number literals no encoder writes, standing in for Python's words while `JSON.parse` runs.
const substitutes = { NaN: "0e-99999", Infinity: "1e99999" } as const

const withoutWords = (text: string, words: ReadonlyArray<number>) => {
  let out = ""
  let from = 0
  for (const at of words) {
    const word = text.startsWith("NaN", at) ? "NaN" : text.startsWith("Infinity", at) ? "Infinity" : undefined
    if (word === undefined || at < from) continue
    out += text.slice(from, at) + substitutes[word]
    from = at + word.length
  }
  return out + text.slice(from)
}

const exact = (_key: string, value: unknown, context?: { readonly source?: string }) => {
  if (typeof value !== "number" || context?.source === undefined) return value
  if (context.source === substitutes.NaN) return Number.NaN
  return Number.isSafeInteger(value) || !/^-?\d+$/.test(context.source) ? value : BigInt(context.source)
}

/** Throws `SyntaxError` for what is not JSON even to Python, `RangeError` for nesting beyond `MAX_DEPTH`. */
export const parse = (text: string): unknown => {
  const { deepest, long, words } = survey(text)
  if (deepest > MAX_DEPTH) throw new RangeError(`nested ${deepest} levels deep, at most ${MAX_DEPTH} are read`)
  return long || words.length > 0 ? JSON.parse(withoutWords(text, words), exact) : JSON.parse(text)
}

// Stage 3 since V8 11.4 and in Node 22, not yet in TypeScript's library.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }

const writable = (_key: string, value: unknown) => (typeof value === "bigint" ? rawJSON(String(value)) : value)

/** Integers are written in full; a number JSON has no word for becomes null. */
export const stringify = (value: unknown): string => JSON.stringify(value, writable)

const textOf: Record<string, (value: unknown) => string | undefined> = {
  uuid: (value) => {
    const hex = typeof value === "object" && value !== null && "hex" in value ? value.hex : undefined
    return typeof hex === "string" && /^[0-9a-f]{32}$/i.test(hex)
      ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")
      : undefined
  },
  base64: (value) => (typeof value === "string" ? Buffer.from(value, "base64").toString("latin1") : undefined),
  ...Object.fromEntries(
    ["datetime", "date", "time", "decimal", "bytes"].map((type) => [
      type,
      (value: unknown) => (typeof value === "string" ? value : undefined)
    ])
  )
}

/**
 * kombu's extended types (celery-wire 1.6) as the strings older kombu sent: `{"__type__": "uuid", ...}` becomes the UUID.
 * An object counts only with exactly these two keys. Throws `TypeError` for a type that is not known.
 */
export const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  if ("__type__" in value && "__value__" in value && Object.keys(value).length === 2) {
    const text =
      typeof value.__type__ === "string" && Object.hasOwn(textOf, value.__type__)
        ? textOf[value.__type__]!(value.__value__)
        : undefined
    if (text === undefined) throw new TypeError(`cannot read a value of __type__ ${JSON.stringify(value.__type__)}`)
    return text
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}
