import { Effect, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { Catalogue, PORTRAIT } from "../../services/Catalogue.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"
import { Publisher } from "../../services/Publisher.ts"
import { derivedId } from "../../wire/derivedId.ts"
import * as NewMessage from "../celery/NewMessage.ts"
import { queueName } from "../commands/client.ts"
import type { Facts } from "../commands/whyFacts.ts"
import * as Cost from "../generation/purchase/cost.ts"
import { CALLER } from "./makeAgain.ts"

const Asked = Schema.Struct({
  name: Schema.NonEmptyString,
  args: Schema.Array(Schema.Unknown),
  kwargs: Schema.Record(Schema.String, Schema.Unknown)
})
const isAsked = Schema.is(Asked)
export interface Asked extends Schema.Schema.Type<typeof Asked> {}

/** What a task asked for that has ended without it, where its result says so: with RESULT_EXTENDED it does. */
export const askedFor = ({ messages, result }: Facts): Asked | undefined =>
  messages.length === 0 && (result?.status === "FAILURE" || result?.status === "REVOKED") && isAsked(result) ? result : undefined

/** What it will cost to ask once more, in words. */
export const costOf = Effect.fnUntraced(function* ({ kwargs, name }: Asked) {
  const catalogue = yield* Catalogue
  const kind = name.slice(name.lastIndexOf(".") + 1)
  const words = { prompt: "", seed: 0 }
  const { total } = Cost.estimate(
    catalogue,
    kind === "edit_model"
      ? { _tag: "Edit", ...words, source: "", strength: null }
      : { _tag: "Generate", ...words, size: PORTRAIT },
    kind === "batch_generate" && typeof kwargs["count"] === "number" ? kwargs["count"] : 1
  )
  const price = total === undefined ? "an unknown price" : `about ${NanoDollars.dollars(total)} by the list price`
  switch (kind) {
    case "generate_model":
    case "edit_model":
      return `One picture, for ${price}.`
    case "batch_generate":
      return typeof kwargs["count"] === "number"
        ? `At most ${kwargs["count"]} pictures, for ${price}.`
        : "As many pictures as its arguments name, each at the list price."
    default:
      return "It buys no picture."
  }
})

/** Asks for the same once more, under an id of its own: once for each end of the task, however often it is sent. */
export const askAgain = Effect.fn("console.askAgain")(function* ({ result, taskId }: Facts, { args, kwargs, name }: Asked) {
  const publisher = yield* Publisher
  const queue = yield* queueName
  const id = derivedId(taskId, `retry ${result?.date_done ?? ""}`)
  const [tag, replyTo] = yield* Effect.sync(() => [randomUUID(), randomUUID()] as const)
  const headers = { "x-caller": CALLER }
  const message = NewMessage.encode({ id, task: name, args, kwargs, queue, tag, replyTo, headers }, CALLER)
  yield* publisher.publishOnce({ key: `console ${id}`, digest: "" }, id, [message])
  return id
})
