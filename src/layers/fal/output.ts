import * as Text from "../../wire/Text.ts"
import { type Fields, isFields, numberOf } from "./BoundedBody.ts"

export interface Image {
  readonly url: string
  readonly width: number | null
  readonly height: number | null
  readonly contentType: string | null
}

/** The picture, seed and flag that were read from a result. */
export interface Output {
  /** The first of them; `undefined` when the list is there and empty. */
  readonly image: Image | undefined
  readonly seed: number | null
  readonly flagged: boolean
}

const sideOf = (value: unknown): number | null => {
  const side = numberOf(value)
  return side !== undefined && side >= 1 && side <= 1_000_000 ? Math.round(side) : null
}
/** A seed that a double cannot hold exactly would name another picture, so it is left out. */
const seedOf = (value: unknown): number | null => {
  const seed = numberOf(value)
  return seed !== undefined && Number.isSafeInteger(seed) ? seed : null
}

/** An address as it came, or with what no address may hold written as one. */
const urlOf = (value: unknown): string | undefined => {
  if (typeof value !== "string" || !/^(https?:\/\/|data:image\/)/i.test(value)) return undefined
  return /[\s\p{C}]/u.test(value) ? URL.parse(value)?.href : value
}
const imageOf = (value: unknown): Image | undefined => {
  const url = urlOf(isFields(value) ? value["url"] : value)
  if (url === undefined) return undefined
  if (!isFields(value)) return { url, width: null, height: null, contentType: null }
  const type = value["content_type"]
  return {
    url,
    width: sideOf(value["width"]),
    height: sideOf(value["height"]),
    contentType: typeof type === "string" ? Text.cut(type, 100) : null
  }
}

const clean = new Set(["", "0", "false", "no", "none", "null", "safe", "ok", "sfw"])
/** Deeper than this no endpoint hides its output or its flags. */
const DEEPEST = 4
/**
 * Whether a flag is raised, in whatever form it comes. A form that we do not know counts as raised: a picture thrown away costs
 * cents, and one that should not be shown costs more. Numbers are counts, or scores from 0 to 1.
 */
const isRaised = (flag: unknown, depth = 0): boolean => {
  if (flag === null || flag === undefined) return false
  if (typeof flag === "boolean") return flag
  if (typeof flag === "object") return depth > DEEPEST || Object.values(flag).some((inner) => isRaised(inner, depth + 1))
  const number = numberOf(flag)
  if (number !== undefined) return number >= 0.5
  return !clean.has(String(flag).trim().toLowerCase())
}
const isFlag = (name: string) =>
  /^((has|is|contains)_)?nsfw(_(concepts?|content|detected|flags?|scores?|probability))*$|^(is_)?(flagged|unsafe)$/i.test(name)
/** Looks for flags everywhere: beside the picture, in it, and around it. */
const hasFlag = (value: unknown, depth = 0): boolean =>
  typeof value === "object" &&
  value !== null &&
  depth <= DEEPEST &&
  Object.entries(value).some(([name, inner]) => (isFlag(name) ? isRaised(inner) : hasFlag(inner, depth + 1)))

const places = ["images", "image", "output", "outputs", "data", "result", "response", "payload"]
/** The pictures in a value, and the objects that were passed on the way to them. */
const look = (
  value: unknown,
  passed: ReadonlyArray<Fields>
): { readonly found: ReadonlyArray<unknown>; readonly passed: ReadonlyArray<Fields> } | undefined => {
  if (Array.isArray(value)) return value.length === 0 || value.some(imageOf) ? { found: value, passed } : undefined
  if (passed.length > 0 && imageOf(value) !== undefined) return { found: [value], passed }
  if (!isFields(value) || passed.length >= DEEPEST) return undefined
  for (const place of places) {
    const there = value[place] === undefined || value[place] === null ? undefined : look(value[place], [...passed, value])
    if (there !== undefined) return there
  }
  return undefined
}

/** Reads a result in each form that fal's endpoints are known to use. `undefined` when it is in none of them. */
export const outputOf = (value: unknown): Output | undefined => {
  const there = look(value, [])
  if (there === undefined) return undefined
  const { found, passed } = there
  return {
    image: found.map(imageOf).find((image) => image !== undefined),
    seed: passed.map(({ seed }) => seedOf(seed)).find((seed) => seed !== null) ?? null,
    flagged: hasFlag(value)
  }
}
