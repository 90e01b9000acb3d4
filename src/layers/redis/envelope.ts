import { Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import type { Question } from "../../services/Fleet.ts"
import * as PythonJson from "../../services/PythonJson.ts"
import { replyExchange } from "./kombu.ts"

/** kombu's envelope around what is not a task: control messages, their answers, events (celery-wire 1.1). */

export interface Letter {
  readonly body: unknown
  readonly headers: Readonly<Record<string, unknown>>
  readonly exchange: string
  readonly routingKey: string
  readonly lasting?: boolean
}

export const seal = (letter: Letter): string =>
  PythonJson.stringify({
    body: Buffer.from(PythonJson.stringify(letter.body)).toString("base64"),
    "content-encoding": "utf-8",
    "content-type": "application/json",
    headers: letter.headers,
    properties: {
      delivery_mode: letter.lasting === true ? 2 : 1,
      delivery_info: { exchange: letter.exchange, routing_key: letter.routingKey },
      priority: 0,
      body_encoding: "base64",
      delivery_tag: randomUUID()
    }
  })

/** The body of a question to the fleet (celery-wire 8.1), answered in the mailbox of `oid`. */
export const questionBody = (question: Question, oid: string) => ({
  method: question.method,
  arguments: question.arguments,
  destination: question.destination,
  pattern: null,
  matcher: null,
  ticket: randomUUID(),
  reply_to: { exchange: replyExchange, routing_key: oid }
})

const Envelope = Schema.Struct({
  body: Schema.String.check(Schema.isMaxLength(12_000_000)),
  headers: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown))),
  "content-type": Schema.optionalKey(Schema.NullOr(Schema.String)),
  properties: Schema.optionalKey(
    Schema.Struct({
      body_encoding: Schema.optionalKey(Schema.NullOr(Schema.String)),
      delivery_info: Schema.optionalKey(
        Schema.NullOr(Schema.Struct({ routing_key: Schema.optionalKey(Schema.NullOr(Schema.String)) }))
      )
    })
  )
})
const decode = Schema.decodeUnknownOption(Envelope)

/** The longest that is said honestly is all 50,000 ids that a worker remembers as revoked, of three values each. */
const MOST_VALUES = 200_000

/** What somebody sent, or nothing when it is not JSON in an envelope: anybody can publish anything. */
export const open = (raw: string): Option.Option<Pick<Letter, "routingKey" | "headers" | "body">> => {
  try {
    return Option.map(decode(PythonJson.parse(raw)), (envelope) => {
      if ((envelope["content-type"] ?? "application/json") !== "application/json") throw new TypeError("not JSON")
      const text =
        envelope.properties?.body_encoding === "base64" ? Buffer.from(envelope.body, "base64").toString("utf8") : envelope.body
      const routingKey = envelope.properties?.delivery_info?.routing_key ?? ""
      return { routingKey, headers: envelope.headers ?? {}, body: PythonJson.numbers(PythonJson.parse(text, MOST_VALUES)) }
    })
  } catch {
    return Option.none()
  }
}
