import { Effect, Schema } from "effect"
import * as PythonJson from "../../services/PythonJson.ts"
import * as Text from "../../services/Text.ts"
import * as Bounded from "../Bounded.ts"
import * as TaskFailure from "./TaskFailure.ts"
import { MAX_BODY, unpack } from "./unpack.ts"

/** What a message's body says it is. */
export interface Packing {
  readonly body: string
  readonly contentType: string | null
  readonly encoding: string | null
  readonly compression: string | null
}

/** The body's JSON value. Only JSON is ever read; everything else fails with the name a Celery client knows. */
export const read = Effect.fnUntraced(function* (packing: Packing) {
  if (packing.contentType !== "application/json") {
    return yield* TaskFailure.contentDisallowed(
      `Refusing to deserialize untrusted content of type ${Text.cut(packing.contentType ?? "null", 200)} (only application/json is accepted)`
    )
  }
  const { body, encoding } = packing
  const size = encoding === "base64" ? Math.floor((body.length / 4) * 3) - 2 : body.length
  if (size > MAX_BODY) return yield* TaskFailure.decodeError(`body: ${size} bytes, at most ${MAX_BODY} are read`)
  const bytes = Buffer.from(body, encoding === "base64" ? "base64" : "utf8")
  const plain = packing.compression === null ? bytes : yield* unpack(bytes, packing.compression)
  return yield* Effect.try({
    try: () => {
      if (plain.length > MAX_BODY) throw new RangeError(`${plain.length} bytes, at most ${MAX_BODY} are read`)
      return PythonJson.parse(plain.toString("utf8"))
    },
    catch: (error) => TaskFailure.decodeError(`body: ${error instanceof Error ? error.message : String(error)}`)
  })
})

/** More tasks than these are sent by no message, and so no message says so many of them. */
export const MOST_SIGNATURES = 10_000
/** Signatures stay as they came: they are sent on, not understood. */
const Signatures = Bounded.list(Bounded.Properties, MOST_SIGNATURES)
export const Embed = Schema.Struct({
  callbacks: Schema.optionalKey(Schema.NullOr(Signatures)),
  errbacks: Schema.optionalKey(Schema.NullOr(Signatures)),
  chain: Schema.optionalKey(Schema.NullOr(Signatures)),
  chord: Schema.optionalKey(Schema.NullOr(Bounded.Properties))
})
export interface Embed extends Schema.Schema.Type<typeof Embed> {}

export const Body = Schema.Tuple([Schema.Array(Schema.Unknown), Bounded.Properties, Schema.NullOr(Embed)])
