import { isIP } from "node:net"
import { Option, Redacted, Result, Schema } from "effect"
import type { Cap } from "../Budget.ts"
import * as NanoDollars from "../NanoDollars.ts"
import * as DatabaseAddress from "./DatabaseAddress.ts"
import * as Form from "./Form.ts"
import * as MediaAddress from "./MediaAddress.ts"
import * as RedisAddress from "./RedisAddress.ts"

/** As many children as a pool may have. */
export const MOST_CHILDREN = 512
export const range = Form.custom(`max,min with a max of 1 to ${MOST_CHILDREN}`, (text) => {
  if (!/^\d{1,3}(\s*,\s*\d{1,3})?$/.test(text)) return undefined
  const [max = 0, min = 1] = text
    .split(",")
    .map(Number)
    .toSorted((one, other) => other - one)
  return max >= 1 && max <= MOST_CHILDREN ? { max, min: Math.max(min, 1) } : undefined
})

export const redisUrl = Form.secret(
  (text) => Result.map(RedisAddress.parse(text), () => Redacted.make(text)),
  RedisAddress.doubts
)
export const databaseUrl = Form.secret(
  (text) => Result.map(DatabaseAddress.parse(text), () => Redacted.make(text)),
  DatabaseAddress.doubts
)
export const password = Form.secret((text) => Result.succeed(Redacted.make(text)))

/** fal's client puts it into a header as it is, and says nothing of one that is none. */
export const falKey = Form.secret(
  (text) =>
    /^Key\s/i.test(text)
      ? Result.fail("begins with the word Key: only what follows belongs here")
      : /^[\x21-\x7e]+$/.test(text) && !/["']/.test(text)
        ? Result.succeed(Redacted.make(text))
        : Result.fail("expects key_id:key_secret as fal's dashboard shows it, without quotes or spaces"),
  (text) => (/^[^:]+:[^:]+$/.test(text) ? [] : ["is not of the form key_id:key_secret: is it whole?"])
)
const MODEL = /^(\d+-[a-z\d-]+|[\w.-]+(\/[\w.-]+)+)$/i
export const falModel = Form.matching(MODEL, "a model of fal's, such as fal-ai/flux/dev")
export const falModels = Form.custom("models of fal's, separated by commas", (text) => {
  const names = text.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()]))
  return names.every((name) => MODEL.test(name)) ? names : undefined
})
const PLAIN_URL = "http:// or https:// with a host, without a user, a query or a #"
const plainUrl = (text: string) => {
  const url = /^https?:\/\//i.test(text) ? URL.parse(text) : null
  return url !== null && url.username === "" && url.password === "" && !/[?#\s]/.test(text) ? text.replace(/\/+$/, "") : undefined
}
export const baseUrl = Form.custom(PLAIN_URL, plainUrl)
/** Not shown when it is wrong: it may hold a password then. */
export const mediaUrl = Form.secret((text) => {
  const url = plainUrl(text)
  return url === undefined ? Result.fail(`expects ${PLAIN_URL}`) : Result.succeed(url)
})

/** Not shown when it is wrong: somebody may have put a bucket's key into it. */
export const mediaStore = Form.secret(MediaAddress.parse)

/** Names that hold something else beside the queues. */
const TAKEN = /^(unacked(_index|_mutex)?|_kombu\.binding\..*|model-generator\..*|celery-task-meta-.*)$/
export const queues = Form.custom("names of queues, separated by commas", (text) => {
  const names = [...new Set(text.split(",").map((queue) => queue.trim()))].filter((queue) => queue !== "")
  return names.length > 0 && names.every((name) => !/\p{Cc}/u.test(name) && !TAKEN.test(name)) ? names : undefined
})

export const zone = Form.custom("a time zone's name, such as Europe/Berlin", (text) =>
  Option.getOrUndefined(Schema.decodeOption(Schema.TimeZoneNamedFromString)(text))
)

export const listenHost = Form.map(
  Form.matching(/^([\w.-]+|\[?[\da-f:.]+(%\w+)?\]?)$/i, "a host or an address to listen on"),
  (host) => host.replace(/^\[(.*)\]$/, "$1")
)
export const absolutePath = Form.matching(/^\/[^\0]*[^/\0]$/, "an absolute path, such as /var/lib/model-generator/users")
export const headerName = Form.matching(/^[A-Za-z\d][\w-]*$/, "the name of a header, such as Remote-User")
export const addresses = Form.custom("IP addresses, separated by commas", (text) => {
  const all = text.split(",").map((one) => one.trim())
  return all.every((one) => isIP(one) !== 0) ? all : undefined
})

type Level = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "none"
/** Ours and Python's: `WARNING` and `CRITICAL` are what it calls `warn` and `fatal`. */
export const level = Form.oneOf<Level>({
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
  fatal: "fatal",
  critical: "fatal",
  none: "none"
})

const fanout = (prefixed: boolean) => (prefixed ? "/{db}." : "")
export const fanoutPrefix = Form.custom("true, false, or a / with anything and a dot behind it", (text) =>
  // kombu finds the channel behind the first dot, and only where the prefix begins with a slash.
  /^\/[^.]*\.$/.test(text) ? text : Option.getOrUndefined(Option.map(Result.getSuccess(Form.flag.read(text)), fanout))
)
export const nodeName = Form.matching(/^[^\s\p{Cc}@]+(@[^\s\p{Cc}@]+)?$/u, "name or name@host")

export const part = Form.custom("a number above 0, at most 1", (text) => {
  const value = /^(0|1)?(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  return value > 0 && value <= 1 ? value : undefined
})

/** What a caller may be called: what comes in a header is made to fit. */
const CALLER = /^[\w.@:+-]{1,100}$/
export const caps = Form.custom<ReadonlyArray<Cap>>("caps such as caller:shop=5/day,model:fal-ai/flux-2-pro=40/month", (text) => {
  const read = text.split(",").map((one): Cap | undefined => {
    const [, kind, name = "", amount = "", span] = /^\s*(caller|model):([^\s=]+)=([\d.]+)\/(day|month)\s*$/.exec(one) ?? []
    const limit = NanoDollars.parse(amount)
    if (limit === undefined) return undefined
    if (kind === "caller" && !CALLER.test(name)) return undefined
    return { subject: kind === "caller" ? `caller:${name}` : `model:${name}`, span: span === "day" ? "day" : "month", limit }
  })
  const good = read.filter((cap) => cap !== undefined)
  const names = new Set(good.map(({ span, subject }) => `${span} ${subject}`))
  return good.length === read.length && names.size === read.length && read.length <= 50 ? good : undefined
})
