import * as Text from "./Text.ts"

/**
 * JSON as Python's `json` module reads and writes it: integers of any size (here `bigint` beyond 2^53), floats that happen to be
 * whole (here `Float`), and the bare words `NaN`, `Infinity` and `-Infinity`. `JSON.parse` would refuse or quietly change each.
 */

/** Deeper nesting is refused: no real message needs it, and code that walks a value may recurse. */
export const MAX_DEPTH = 100
/** A text with more values is refused before any value is made. Reading this many takes at most 0.2 s and 30 MB. */
export const MAX_VALUES = 100_000
/** Python itself reads no longer integer. */
export const MAX_DIGITS = 4300

const QUOTE = 34
const BACKSLASH = 92
const isDigit = (code: number) => code >= 48 && code <= 57

// Stage 3 since V8 11.4 and in Node 22, not yet in TypeScript's library.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }

/** A number as Python writes a float. */
export const floatText = (value: number): string => {
  if (!Number.isFinite(value)) return String(value)
  const [mantissa = "", exponent = ""] = value.toExponential().split("e")
  if (value !== 0 && (Number(exponent) < -4 || Number(exponent) >= 16))
    return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`
  const shown = Object.is(value, -0) ? "-0" : String(value)
  return shown.includes(".") ? shown : `${shown}.0`
}

/** A float with no fraction, as `1.0`: as a number it would be written as the integer 1, which Python takes for another type. */
export class Float {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
  valueOf() {
    return this.value
  }
  toJSON() {
    return rawJSON(floatText(this.value))
  }
}

/**
 * One pass over the text outside strings that creates no value. It checks the bounds, and finds whether there are words, long
 * numbers or floats, which JSON.parse would change.
 */
const survey = (text: string, most: number) => {
  let depth = 0
  let values = 1
  let digits = 0
  let odd = false
  const words: Array<number> = []
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      for (at++; at < text.length && text.charCodeAt(at) !== QUOTE; at++) if (text.charCodeAt(at) === BACKSLASH) at++
    } else if (code === 123 || code === 91) {
      if (++depth > MAX_DEPTH) throw new RangeError(`nested more than ${MAX_DEPTH} levels deep, which is the most that is read`)
      values++
    } else if (code === 125 || code === 93) depth--
    else if (code === 44 /* , */) values++
    else if (code === 78 /* N */ || code === 73 /* I */) words.push(at)
    if (digits > 0 && (code === 46 /* . */ || code === 69 /* E */ || code === 101) /* e */) odd = true
    digits = isDigit(code) ? digits + 1 : 0
    if (digits > 15) odd = true
    if (digits > MAX_DIGITS) throw new RangeError(`a number of more than ${MAX_DIGITS} digits, which is the most that is read`)
    // "NaN" is seen twice, and is one value.
    if (Math.max(values, words.length / 2) > most)
      throw new RangeError(`more than ${most} values, which is the most that is read`)
  }
  return { odd, words }
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
  if (/^-?\d+$/.test(context.source)) return Number.isSafeInteger(value) ? value : BigInt(context.source)
  return Number.isInteger(value) ? new Float(value) : value
}

/** A shorter text cannot hold too many values, and is looked through by what finds bytes fastest. */
const SHORT = 8192
/**
 * A number that JSON.parse would change, after a character that may stand before a number; or one of Python's words. A match
 * within a string only costs the slow way.
 */
const careful = /(?:^|[:,[\s])-?\d+(?:[.eE]|\d{15})|NaN|Infinity/
const countOf = (text: string, char: string, most: number) => {
  let count = 0
  for (let at = text.indexOf(char); at !== -1 && count <= most; at = text.indexOf(char, at + 1)) count++
  return count
}
const isSimple = (text: string) =>
  text.length <= SHORT && countOf(text, "{", MAX_DEPTH) + countOf(text, "[", MAX_DEPTH) <= MAX_DEPTH && !careful.test(text)

/** Throws `SyntaxError` for what is not JSON even to Python, `RangeError` for what is beyond the bounds above. */
export const parse = (text: string, most = MAX_VALUES): unknown => {
  if (most >= SHORT && isSimple(text)) return JSON.parse(text)
  const { odd, words } = survey(text, most)
  return odd || words.length > 0 ? JSON.parse(withoutWords(text, words), exact) : JSON.parse(text)
}

const writable = (_key: string, value: unknown) => {
  if (typeof value === "bigint") return rawJSON(String(value))
  if (typeof value !== "number" || Number.isFinite(value)) return value
  const infinity = value > 0 ? substitutes.Infinity : `-${substitutes.Infinity}`
  return rawJSON(Number.isNaN(value) ? substitutes.NaN : infinity)
}

/** Strings are matched only to be passed over. */
const stringOrSubstitute = new RegExp(`"(?:[^"\\\\]+|\\\\.)*"|${substitutes.NaN}|${substitutes.Infinity}`, "g")

/** Whether JSON has a form for every number of a value, so that no function need be asked about each. */
const isOrdinary = (value: unknown): boolean => {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value)
    case "bigint":
      return false
    case "object":
      if (value === null) return true
      for (const inner of Array.isArray(value) ? value : Object.values(value)) if (!isOrdinary(inner)) return false
      return true
    default:
      return true
  }
}

/** Numbers are written as Python writes them: integers in full, and words for those JSON has no form for. */
export const stringify = (value: unknown): string => {
  if (isOrdinary(value)) return JSON.stringify(value)
  const text = JSON.stringify(value, writable)
  if (!text.includes("e-99999") && !text.includes("e99999")) return text
  return text.replaceAll(stringOrSubstitute, (found) =>
    found === substitutes.NaN ? "NaN" : found === substitutes.Infinity ? "Infinity" : found
  )
}

/** The value with every `Float` as a number, for code that calculates with it and does not send it on. */
export const numbers = (value: unknown): unknown => {
  if (value instanceof Float) return value.value
  if (Array.isArray(value)) return value.map(numbers)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, numbers(inner)]))
}

/** A decimal is a number to Python; one with more digits than a number here holds for certain stays text. */
const decimal = (value: unknown): string | number | undefined => {
  if (typeof value !== "string" || !/^[+-]?[\d.]{1,16}(e[+-]?\d{1,2})?$/i.test(value)) return Text.textOf(value)
  return Number.isFinite(Number(value)) ? Number(value) : value
}

const simple: Record<string, (value: unknown) => string | number | undefined> = {
  decimal,
  uuid: (value) => {
    const hex = typeof value === "object" && value !== null && "hex" in value ? value.hex : undefined
    return typeof hex === "string" && /^[0-9a-f]{32}$/i.test(hex)
      ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")
      : undefined
  },
  base64: (value) => (typeof value === "string" ? Buffer.from(value, "base64").toString("latin1") : undefined),
  datetime: Text.textOf,
  date: Text.textOf,
  time: Text.textOf,
  bytes: Text.textOf
}

/**
 * kombu's extended types as the strings older kombu sent: `{"__type__": "uuid", ...}` becomes the UUID. Floats and decimals
 * become numbers. An object counts only with exactly these two keys. Throws `TypeError` for a type that is not known.
 */
export const plain = (value: unknown): unknown => {
  if (value instanceof Float) return value.value
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  if ("__type__" in value && "__value__" in value && Object.keys(value).length === 2) {
    const known =
      typeof value.__type__ === "string" && Object.hasOwn(simple, value.__type__)
        ? simple[value.__type__]!(value.__value__)
        : undefined
    if (known === undefined) throw new TypeError(`cannot read a value of __type__ ${JSON.stringify(value.__type__)}`)
    return known
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}
