import { Option, Schema } from "effect"
import type { Paths } from "../../services/Generator.ts"
import * as Text from "../../wire/Text.ts"
import type { Answered } from "./exchange.ts"

/**
 * fal's endpoints are many programs by many authors, and change without notice. So each field is read by itself: one that cannot
 * be read counts as absent, and never makes the rest unreadable.
 */
export type Fields = Readonly<Record<string, unknown>>

const parse = Schema.decodeOption(Schema.fromJsonString(Schema.Unknown))
const parsed = new WeakMap<Answered, unknown>()
/** Parsed once for each answer, which may be long. */
export const valueOf = (answer: Answered): unknown => {
  if (!parsed.has(answer)) parsed.set(answer, Option.getOrUndefined(parse(answer.text)))
  return parsed.get(answer)
}
export const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value)
export const fieldsOf = (answer: Answered): Fields | undefined => {
  const value = valueOf(answer)
  return isFields(value) ? value : undefined
}
/** A number, also one in quotes. */
export const numberOf = (value: unknown): number | undefined => {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value
  return typeof number === "number" && Number.isFinite(number) ? number : undefined
}

/** fal's own answers are signed like this, or JSON. Another is of something on the way to fal. */
export const isOfFal = (answer: Answered) =>
  answer.header("x-fal-request-id") !== undefined || isFields(valueOf(answer)) || Array.isArray(valueOf(answer))

/** A request id is stored in a column of 100 characters. In an address, "." and ".." would be another address. */
const isId = (value: string) => /^\P{C}{1,100}$/u.test(value) && /[^\s.]/.test(value)
const idOf = (value: unknown): string | undefined => {
  const id = Number.isSafeInteger(value) ? String(value) : value
  return typeof id === "string" && isId(id) ? id : undefined
}
const decoded = (part: string | undefined) => {
  try {
    return part === undefined ? undefined : decodeURIComponent(part)
  } catch {
    return part
  }
}

const addresses = { status: "status_url", result: "response_url", cancel: "cancel_url" } as const

/**
 * The id of the request that fal accepted, from wherever the answer has it: the body, the addresses in it, the header, or the
 * beginning of a body that broke off. `undefined` when it is nowhere.
 */
export const requestIdOf = (answer: Answered): string | undefined => {
  const body = fieldsOf(answer) ?? {}
  const inAddress = Object.values(addresses).map((name) => {
    const address = body[name] // not made a text of: an object may say how, and throw
    return typeof address === "string" ? decoded(/\/requests\/([^/?#]+)/.exec(address)?.[1]) : undefined
  })
  const inBeginning = /"request_id"\s*:\s*"([^"\\]+)"/.exec(answer.text)?.[1]
  return [body["request_id"], ...inAddress, answer.header("x-fal-request-id"), inBeginning]
    .map(idOf)
    .find((id) => id !== undefined)
}

const QUEUE = "https://queue.fal.run"
const LONGEST_PATH = 1000

/** Where fal says that the request is to be asked about. Only the path of an address on fal's host, or on `base`'s, is taken. */
export const pathsOf = (answer: Answered, base: string | undefined): Paths | undefined => {
  const body = fieldsOf(answer) ?? {}
  const ours = base === undefined ? null : URL.parse(base)
  const before = ours === null ? "" : ours.pathname.replace(/\/+$/, "")
  const pathOf = (value: unknown) => {
    const url = typeof value === "string" && value.length <= LONGEST_PATH ? URL.parse(value, QUEUE) : null
    if (url === null) return undefined
    const path = url.pathname + url.search
    if (url.host === new URL(QUEUE).host) return path
    if (url.host !== ours?.host) return undefined
    return path.startsWith(`${before}/`) ? path.slice(before.length) : path
  }
  const paths = Object.entries(addresses).flatMap(([which, name]) => {
    const path = pathOf(body[name])
    return path === undefined ? [] : [[which, path] as const]
  })
  return paths.length === 0 ? undefined : Object.fromEntries(paths)
}

/** `loc`, `msg` and `type`; not `input`, which echoes the prompt or a whole picture. */
const Problem = Schema.Struct({ msg: Schema.String })
const isProblem = Schema.is(Problem)

const LONGEST = 500
const LONGEST_TYPE = 100

/** What an answer says of itself. */
export interface Said {
  /** fal's own words, or the bare status when it sent none. */
  readonly words: string
  /** `error_type`, or the type of the first problem; "" when fal named none. */
  readonly type: string
  /** The body is a list of problems with the input or from the model. */
  readonly listed: boolean
  /** The state of the request, or the answer to a cancel, in upper case: "" when fal named none. */
  readonly status: string
}

const wordsOf = (problem: Fields & { readonly msg: string }) => {
  const loc = Array.isArray(problem["loc"])
    ? problem["loc"].filter((part) => typeof part === "string" || typeof part === "number")
    : []
  const where = loc.filter((part, at) => at > 0 || part !== "body").join(".")
  return where === "" ? problem.msg : `${where}: ${problem.msg}`
}

const textOf = (value: unknown): string => {
  const text = isFields(value) ? (value["message"] ?? value["msg"]) : value
  return typeof text === "string" ? text : ""
}

export const said = (answer: Answered): Said => {
  const body = fieldsOf(answer) ?? {}
  const { detail, error } = body
  const problems = Array.isArray(detail) ? detail.filter(isFields).filter(isProblem) : []
  const words = [
    problems.map(wordsOf).join("; "),
    textOf(detail),
    textOf(error),
    textOf(body["message"]),
    `HTTP ${answer.status}`
  ]
  const types = [
    body["error_type"],
    answer.header("x-fal-error-type"),
    problems[0]?.["type"],
    isFields(error) ? error["type"] : ""
  ]
  const text = words.find((text) => text !== "") ?? ""
  return {
    words: text.length > LONGEST ? `${Text.cut(text, LONGEST - 1)}…` : Text.cut(text, LONGEST),
    type: Text.cut(types.find((type): type is string => typeof type === "string" && type !== "") ?? "", LONGEST_TYPE),
    listed: problems.length > 0,
    status: typeof body["status"] === "string" ? Text.cut(body["status"].toUpperCase(), LONGEST_TYPE) : ""
  }
}

/** The names of what an answer holds, never what it holds: that may be a prompt. */
export const shapeOf = (answer: Answered): string => {
  const value = valueOf(answer)
  const type = answer.header("content-type") ?? "no content type"
  if (isFields(value)) return Text.shorten(`an object with ${Object.keys(value).slice(0, 20).join(", ") || "nothing in it"}`, 200)
  return Text.shorten(
    answer.cut
      ? `${type}, more than we read`
      : value === undefined
        ? `${type}, not JSON`
        : `a JSON ${Array.isArray(value) ? "list" : typeof value}`,
    200
  )
}
