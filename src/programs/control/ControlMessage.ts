import { Schema } from "effect"
import * as Bounded from "../../wire/Bounded.ts"
import { nullish } from "../../wire/nullish.ts"
import { createContext, runInContext } from "node:vm"

/** A control message: a cast, unless it says where the answer goes. */
export const Request = Schema.Struct({
  method: Schema.NonEmptyString,
  arguments: nullish(Bounded.Properties),
  destination: nullish(Schema.Union([Schema.String, Bounded.list(Schema.String, 10_000)])),
  pattern: nullish(Schema.String),
  matcher: nullish(Schema.String),
  ticket: nullish(Schema.String.check(Schema.isMaxLength(1000))),
  reply_to: nullish(Schema.Struct({ exchange: Schema.NonEmptyString, routing_key: Schema.NonEmptyString }))
})
export type Request = typeof Request.Type

/** Python's fnmatch: `*`, `?`, `[abc]` and `[!abc]`, case and all. */
const fromGlob = (glob: string) => {
  let out = "^"
  for (let at = 0; at < glob.length; at++) {
    const char = glob[at]!
    const end = char === "[" ? glob.indexOf("]", at + 2) : -1
    if (char === "*") out += glob[at + 1] === "*" ? "" : "[^]*"
    else if (char === "?") out += "[^]"
    else if (end > 0) {
      const set = glob.slice(at + 1, end)
      out += `[${set.startsWith("!") ? "^" : ""}${set.replace(/^!/, "").replaceAll(/[\\^\]]/g, String.raw`\$&`)}]`
      at = end
    } else out += char.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
  }
  return `${out}$`
}

/** A pattern from outside may take for ever on the wrong name, so it gets 50 ms; one that is no pattern matches nothing. */
const matches = (pattern: string, name: string): boolean => {
  try {
    return runInContext("new RegExp(pattern).test(name)", createContext({ pattern, name }), { timeout: 50 }) === true
  } catch {
    return false
  }
}

/** No name of a worker needs a longer one, and to translate it takes time that grows with its square. */
const LONGEST_PATTERN = 1000

export const isFor = (request: Request, name: string): boolean => {
  const { destination, matcher, pattern } = request
  if (destination !== null && destination !== undefined && destination.length > 0)
    // Python's `in`: a name within a text counts too.
    return destination.includes(name)
  if (typeof pattern !== "string" || pattern === "" || typeof matcher !== "string" || matcher === "") return true
  if (pattern.length > LONGEST_PATTERN) return false
  if (matcher === "glob") return matches(fromGlob(pattern), name)
  // Python's match is anchored at the start, and names its groups differently.
  if (matcher === "pcre") return matches(`^(?:${pattern.replaceAll("(?P<", "(?<")})`, name)
  return false
}
