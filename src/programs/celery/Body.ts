import { Effect, Schema } from "effect"
import { brotliDecompressSync, inflateSync, zstdDecompressSync } from "node:zlib"
import * as PythonJson from "../../services/PythonJson.ts"
import * as TaskFailure from "./TaskFailure.ts"

/** A body larger than this once unpacked is refused, so that a small message cannot fill the memory. */
const MAX_BODY = 16 * 1024 * 1024

// kombu's "gzip" and "zlib" are both a zlib stream (celery-wire 1.7).
const unpackers: Record<string, (packed: Buffer) => Buffer> = {
  "application/x-gzip": (packed) => inflateSync(packed, { maxOutputLength: MAX_BODY }),
  "application/x-brotli": (packed) => brotliDecompressSync(packed, { maxOutputLength: MAX_BODY }),
  "application/zstd": (packed) => zstdDecompressSync(packed, { maxOutputLength: MAX_BODY })
}

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
  const unpack = packing.compression === null ? undefined : unpackers[packing.compression]
  if (packing.compression !== null && unpack === undefined) {
    return yield* TaskFailure.decodeError(`headers.compression: ${packing.compression} is not supported`)
  }
  return yield* Effect.try({
    try: () => {
      const bytes = Buffer.from(packing.body, packing.encoding === "base64" ? "base64" : "utf8")
      if (bytes.length > MAX_BODY) throw new RangeError(`${bytes.length} bytes, at most ${MAX_BODY} are read`)
      return PythonJson.parse((unpack === undefined ? bytes : unpack(bytes)).toString("utf8"))
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
