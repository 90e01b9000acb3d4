import { Effect, Schema } from "effect"
import * as PythonJson from "../../wire/PythonJson.ts"
import * as Text from "../../wire/Text.ts"
import * as Bounded from "../../wire/Bounded.ts"
import * as TaskFailure from "./TaskFailure.ts"
import { MAX_BODY, unpack } from "./unpack.ts"
import { nullish } from "../../wire/nullish.ts"

/** How a message's body is packed, as its headers say. */
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

/** A body that names more tasks than this is refused while it is read. More can never be sent for one message anyway. */
export const MOST_SIGNATURES = 10_000
/** Signatures stay as they came: they are sent on, not understood. */
const Signatures = Bounded.list(Bounded.Properties, MOST_SIGNATURES)
export const Embed = Schema.Struct({
  callbacks: nullish(Signatures),
  errbacks: nullish(Signatures),
  chain: nullish(Signatures),
  chord: nullish(Bounded.Properties)
})
export interface Embed extends Schema.Schema.Type<typeof Embed> {}

export const Body = Schema.Tuple([Schema.Array(Schema.Unknown), Bounded.Properties, Schema.NullOr(Embed)])
