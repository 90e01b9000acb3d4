import { Effect, Option, Schema } from "effect"
import * as PythonJson from "../../../services/PythonJson.ts"
import * as Body from "../Body.ts"
import type * as Canvas from "../Canvas.ts"
import { digest } from "../digest.ts"

const orElse = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const Envelope = Schema.Struct({
  body: Schema.String,
  headers: Schema.Record(Schema.String, Schema.Unknown),
  properties: orElse(Schema.Record(Schema.String, Schema.Unknown)),
  "content-type": orElse(Schema.String)
})
const readEnvelope = Schema.decodeUnknownOption(Envelope)
const readEmbed = Schema.decodeUnknownOption(Body.Embed)
const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : null)

/**
 * What can still be told of a message that was refused: its place in a canvas. Without it a chord would wait for ever for one
 * header task that nobody can read.
 */
export const remains = Effect.fnUntraced(function* (raw: string, id: string): Effect.fn.Return<Canvas.Ended> {
  const nothing: Canvas.Ended = {
    id,
    group: null,
    groupIndex: null,
    rootId: id,
    parentId: null,
    replyTo: null,
    embed: {},
    digest: digest(raw)
  }
  const parsed = yield* Effect.option(Effect.try({ try: () => PythonJson.parse(raw), catch: () => "not JSON" }))
  const envelope = Option.getOrUndefined(Option.flatMap(parsed, readEnvelope))
  if (envelope === undefined) return nothing
  const { headers } = envelope
  const body = yield* Effect.option(
    Body.read({
      body: envelope.body,
      contentType: envelope["content-type"] ?? null,
      encoding: text(envelope.properties?.["body_encoding"]),
      compression: text(headers["compression"])
    })
  )
  // Its arguments may be what is wrong with it, its embed all the same in order.
  const embed = Option.flatMap(body, (value) => (Array.isArray(value) ? readEmbed(value[2]) : Option.none()))
  const index = headers["group_index"]
  return {
    ...nothing,
    digest: digest(envelope.body),
    group: text(headers["group"]),
    groupIndex: typeof index === "number" && Number.isInteger(index) ? index : null,
    rootId: text(headers["root_id"]) ?? id,
    parentId: text(headers["parent_id"]),
    replyTo: text(envelope.properties?.["reply_to"]),
    embed: Option.getOrElse(embed, () => ({}))
  }
})
