import { Effect, Schema } from "effect"
import { randomUUID } from "node:crypto"
import type { Model } from "../../services/ModelLibrary.ts"
import { Publisher } from "../../services/Publisher.ts"
import { derivedId } from "../../wire/derivedId.ts"
import * as NewMessage from "../celery/NewMessage.ts"
import { queueName } from "../commands/client.ts"
import * as Parameters from "../generation/tasks/Parameters.ts"

/** Who pays for what people have made at the console: a cap can be put on it (BUDGET_CAPS=caller:console=5/day). */
export const CALLER = "console"

const isFive = Schema.is(Parameters.Five)
const Source = Schema.Struct({ id: Schema.String })
const isSource = Schema.is(Source)

/** The task that makes a picture like this one, as the template's next version: undefined where its row does not say how. */
export const taskOf = ({ ageRange, bodyType, gender, metadata, pose, prompt, style, templateId }: Model) => {
  const source = metadata?.["edited_from"]
  if (source !== undefined)
    return isSource(source) && prompt !== null ? { task: "edit_model", kwargs: { model_id: source.id, prompt } } : undefined
  const five = { gender, age_range: ageRange, body_type: bodyType, pose, style }
  return isFive(five) && prompt === Parameters.promptOf(five)
    ? { task: "generate_model", kwargs: { template_id: templateId, ...five } }
    : undefined
}

/** Has a picture like this one made, with another seed: once for each decision, however often it is sent. */
export const makeAgain = Effect.fn("console.makeAgain")(function* (
  { kwargs, task }: NonNullable<ReturnType<typeof taskOf>>,
  decisionId: string
) {
  const publisher = yield* Publisher
  const queue = yield* queueName
  const id = derivedId(decisionId, "made again")
  const [tag, replyTo] = yield* Effect.sync(() => [randomUUID(), randomUUID()] as const)
  const headers = { "x-caller": CALLER }
  const message = NewMessage.encode({ id, task, args: [], kwargs, queue, tag, replyTo, headers }, CALLER)
  yield* publisher.publishOnce({ key: `console ${decisionId}`, digest: "" }, id, [message])
  return id
})
