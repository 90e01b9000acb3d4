import { Effect, Option, Schema } from "effect"
import { callerOf } from "../Message.ts"
import { nullish } from "../../../wire/nullish.ts"
import * as PythonJson from "../../../wire/PythonJson.ts"
import * as Body from "../Body.ts"
import type * as Canvas from "./Canvas.ts"
import { digest } from "../digest.ts"
import * as Text from "../../../wire/Text.ts"

const Envelope = Schema.Struct({
  body: Schema.String,
  headers: Schema.Record(Schema.String, Schema.Unknown),
  properties: nullish(Schema.Record(Schema.String, Schema.Unknown)),
  "content-type": nullish(Schema.String)
})
const readEnvelope = Schema.decodeUnknownOption(Envelope)
const readEmbed = Schema.decodeUnknownOption(Body.Embed)

/**
 * Of a message that was refused, its place in a canvas. Without it a chord would wait for ever for a header task that no worker
 * can read.
 */
export const placeInCanvas = Effect.fnUntraced(function* (raw: string, id: string): Effect.fn.Return<Canvas.Ended> {
  const nothing: Canvas.Ended = {
    id,
    group: null,
    groupIndex: null,
    rootId: id,
    caller: () => callerOf({}),
    parentId: null,
    replyTo: null,
    embed: {},
    digest: () => digest(raw)
  }
  const parsed = yield* Effect.option(Effect.try({ try: () => PythonJson.parse(raw), catch: () => "not JSON" }))
  const envelope = Option.getOrUndefined(Option.flatMap(parsed, readEnvelope))
  if (envelope === undefined) return nothing
  const { headers } = envelope
  const body = yield* Effect.option(
    Body.read({
      body: envelope.body,
      contentType: envelope["content-type"] ?? null,
      encoding: Text.nonEmptyOf(envelope.properties?.["body_encoding"]) ?? null,
      compression: Text.nonEmptyOf(headers["compression"]) ?? null
    })
  )
  // Its arguments may be what is wrong with it, its embed all the same in order.
  const embed = Option.flatMap(body, (value) => (Array.isArray(value) ? readEmbed(value[2]) : Option.none()))
  const index = headers["group_index"]
  return {
    ...nothing,
    digest: () => digest(envelope.body),
    group: Text.nonEmptyOf(headers["group"]) ?? null,
    groupIndex: typeof index === "number" && Number.isInteger(index) ? index : null,
    rootId: Text.nonEmptyOf(headers["root_id"]) ?? id,
    caller: () => callerOf(headers),
    parentId: Text.nonEmptyOf(headers["parent_id"]) ?? null,
    replyTo: Text.nonEmptyOf(envelope.properties?.["reply_to"]) ?? null,
    embed: Option.getOrElse(embed, () => ({}))
  }
})
