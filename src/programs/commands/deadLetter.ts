import { Option, Schema } from "effect"
import type { Buried } from "../../services/DeadLetters.ts"
import { nullish } from "../../wire/nullish.ts"

/** The fields of a dead letter. One that was put there by hand may have fewer. */
const Letter = Schema.fromJsonString(
  Schema.Struct({
    raw: Schema.optionalKey(Schema.String), // left out of what is shown of a long one
    task: nullish(Schema.String),
    task_id: nullish(Schema.String),
    reason: Schema.String,
    error: Schema.String,
    worker: Schema.String,
    time: Schema.String,
    deliveries: Schema.Int
  })
)
const decode = Schema.decodeUnknownOption(Letter)
const Headers = Schema.fromJsonString(Schema.Struct({ headers: Schema.Struct({ id: Schema.String, task: Schema.String }) }))

/** A dead letter as the commands show it. */
export const read = (buried: Buried) => {
  const letter = Option.getOrUndefined(decode(buried.text))
  const message = Option.getOrUndefined(Schema.decodeOption(Headers)(letter?.raw ?? buried.text))
  return {
    id: buried.id,
    queue: buried.queue,
    time: letter?.time ?? null,
    task: letter?.task ?? message?.headers.task ?? null,
    task_id: letter?.task_id ?? message?.headers.id ?? null,
    // A bare message: a worker could not read it, or it was put there by hand.
    reason: letter?.reason ?? "a bare message",
    error: letter?.error ?? "",
    bytes: buried.bytes,
    worker: letter?.worker ?? null,
    deliveries: letter?.deliveries ?? null
  }
}
export type Letter = ReturnType<typeof read>

/** The message as it came, from the whole letter. */
export const wholeOf = (letter: string) => Option.getOrUndefined(decode(letter))?.raw ?? letter
