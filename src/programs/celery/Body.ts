import { Effect, Schema } from "effect"
import * as PythonJson from "../../services/PythonJson.ts"
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
      `Refusing to deserialize untrusted content of type ${packing.contentType ?? "null"} (only application/json is accepted)`
    )
  }
  const bytes = Buffer.from(packing.body, packing.encoding === "base64" ? "base64" : "utf8")
  const plain = packing.compression === null ? bytes : yield* unpack(bytes, packing.compression)
  return yield* Effect.try({
    try: () => {
      if (plain.length > MAX_BODY) throw new RangeError(`${plain.length} bytes, at most ${MAX_BODY} are read`)
      return PythonJson.parse(plain.toString("utf8"))
    },
    catch: (error) => TaskFailure.decodeError(`body: ${error instanceof Error ? error.message : String(error)}`)
  })
})

/** Signatures stay as they came: they are sent on, not understood. */
const Signature = Schema.Record(Schema.String, Schema.Unknown)
export const Embed = Schema.Struct({
  callbacks: Schema.optionalKey(Schema.NullOr(Schema.Array(Signature))),
  errbacks: Schema.optionalKey(Schema.NullOr(Schema.Array(Signature))),
  chain: Schema.optionalKey(Schema.NullOr(Schema.Array(Signature))),
  chord: Schema.optionalKey(Schema.NullOr(Signature))
})
export interface Embed extends Schema.Schema.Type<typeof Embed> {}

export const Body = Schema.Tuple([
  Schema.Array(Schema.Unknown),
  Schema.Record(Schema.String, Schema.Unknown),
  Schema.NullOr(Embed)
])
