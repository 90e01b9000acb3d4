import { Option, Schema } from "effect"
import type { Answered } from "./exchange.ts"

// Whatever fal may add or leave out, a body must not become unreadable for it: only what we decide by is typed.
const nullish = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const json = <S extends Schema.Constraint>(schema: S) => Schema.fromJsonString(schema)

/** A request id goes into a URL and a column of 100 characters. */
export const Accepted = json(
  Schema.Struct({ request_id: Schema.NonEmptyString.check(Schema.isPattern(/^[^\s/?#%]+$/), Schema.isMaxLength(100)) })
)

export const Status = json(
  Schema.Union([
    Schema.Struct({ status: Schema.Literal("IN_QUEUE"), queue_position: nullish(Schema.Int) }),
    Schema.Struct({ status: Schema.Literal("IN_PROGRESS") }),
    Schema.Struct({
      status: Schema.Literal("COMPLETED"),
      metrics: nullish(Schema.Struct({ inference_time: nullish(Schema.Finite) }))
    })
  ])
)

const Image = Schema.Struct({
  url: Schema.NonEmptyString,
  width: nullish(Schema.Int),
  height: nullish(Schema.Int),
  content_type: nullish(Schema.String)
})
/** Newer editors send neither seed nor safety flags. */
export const Output = json(
  Schema.Struct({
    images: Schema.Array(Image),
    seed: nullish(Schema.Finite),
    has_nsfw_concepts: nullish(Schema.Array(Schema.NullOr(Schema.Boolean)))
  })
)

/** `loc`, `msg` and `type`; not `input`, which echoes the prompt or a whole picture. */
const Problem = Schema.Struct({
  loc: nullish(Schema.Array(Schema.Union([Schema.String, Schema.Finite]))),
  msg: Schema.String,
  type: nullish(Schema.String)
})
const Failure = json(
  Schema.Struct({
    detail: Schema.optionalKey(Schema.Union([Schema.String, Schema.NonEmptyArray(Problem), Schema.Unknown])),
    error_type: Schema.optionalKey(Schema.Union([Schema.String, Schema.Unknown])),
    status: Schema.optionalKey(Schema.Unknown)
  })
)
const readFailure = Schema.decodeOption(Failure)
const isProblems = Schema.is(Schema.NonEmptyArray(Problem))

export const read = <A>(schema: Schema.Codec<A, string>, text: string): Option.Option<A> => Schema.decodeOption(schema)(text)

const LONGEST = 500

/** What an answer other than 2xx says of itself. */
export interface Said {
  /** fal's own words, or the bare status when it sent none. */
  readonly words: string
  /** `error_type`, or the type of the first problem; "" when fal named none. */
  readonly type: string
  /** The body is a list of problems with the input or from the model. */
  readonly listed: boolean
  /** The answer to a cancel. */
  readonly status: unknown
}

export const said = (answer: Answered): Said => {
  const failure = Option.getOrUndefined(readFailure(answer.text))
  const detail = failure?.detail
  const problems = isProblems(detail) ? detail : []
  const words = problems.map(({ loc, msg }) => {
    const where = (loc ?? []).filter((part, at) => at > 0 || part !== "body").join(".")
    return where === "" ? msg : `${where}: ${msg}`
  })
  const text =
    words.length > 0 ? words.join("; ") : typeof detail === "string" && detail !== "" ? detail : `HTTP ${answer.status}`
  return {
    words: text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text,
    type:
      (typeof failure?.error_type === "string" ? failure.error_type : undefined) ??
      answer.header("x-fal-error-type") ??
      problems[0]?.type ??
      "",
    listed: problems.length > 0,
    status: failure?.status
  }
}
