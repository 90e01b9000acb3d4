import { Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import type { Question } from "../../services/Fleet.ts"
import * as PythonJson from "../../wire/PythonJson.ts"
import { replyExchange } from "../../wire/kombu.ts"
import { nullish } from "../../wire/nullish.ts"

/** kombu's envelope around what is not a task: control messages, their answers, events. */

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

/** The body of a question to the fleet, answered in the mailbox of `oid`. */
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
  headers: nullish(Schema.Record(Schema.String, Schema.Unknown)),
  "content-type": nullish(Schema.String),
  properties: Schema.optionalKey(
    Schema.Struct({
      body_encoding: nullish(Schema.String),
      delivery_info: Schema.optionalKey(Schema.NullOr(Schema.Struct({ routing_key: nullish(Schema.String) })))
    })
  )
})
const decode = Schema.decodeUnknownOption(Envelope)

/** The longest that is said honestly is all 50,000 ids that a worker remembers as revoked, of three values each. */
const MOST_VALUES = 200_000

/** The message in a kombu envelope; None for anything else, as any client can publish anything. */
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
