import { Option, Schema } from "effect"
import { Paths } from "../../services/Generator.ts"
import { type Generation, isSameTask, LostRequest, seedOf } from "../../services/Journal.ts"
import type { Message } from "../celery/Message.ts"

/** The message property `generation`: enough of a paid request to find it again without the journal. */
const Carried = Schema.Struct({
  attempt: Schema.optionalKey(Schema.Finite),
  digest: Schema.optionalKey(Schema.String),
  endpoint: Schema.String,
  at: Schema.Finite,
  resubmits: Schema.Int,
  lost: Schema.optionalKey(Schema.Array(LostRequest)),
  seed: Schema.optionalKey(Schema.Finite),
  note: Schema.optionalKey(Schema.JsonObject),
  timeLimit: Schema.optionalKey(Schema.Finite),
  /** Absent while we do not know whether fal accepted the request. */
  requestId: Schema.optionalKey(Schema.NonEmptyString),
  paths: Schema.optionalKey(Paths),
  unknownSince: Schema.optionalKey(Schema.Finite),
  accepted: Schema.optionalKey(Schema.Literal(true))
})
const encode = Schema.encodeSync(Carried)
const decode = Schema.decodeUnknownOption(Carried)

/** The property may add at most this to a message (characters of JSON). */
const LARGEST = 4096

/** The property to write. `null`: the task has no request. undefined: we know nothing, so an older property stays. */
export const of = (generation: Generation | null | undefined): Schema.JsonObject | null | undefined => {
  if (generation === null || generation === undefined) return generation
  const { _tag: _, input: __, ...known } = generation
  const seed = seedOf(generation)
  const all = encode({ ...known, ...(seed === undefined ? {} : { seed }) })
  const { note: ___, paths: ____, ...least } = all
  return [all, least].find((carried) => JSON.stringify(carried).length <= LARGEST)
}

/** Reads the property of a message. Any client may have written it, so a property that does not fit this task is ignored. */
export const read = (message: Pick<Message, "generation" | "digest">): Generation | undefined => {
  if (message.generation === undefined) return undefined
  const carried = Option.getOrUndefined(decode(message.generation))
  if (carried === undefined || !isSameTask(carried, { digest: message.digest() })) return undefined
  const { accepted, paths, requestId, unknownSince, ...about } = carried
  // Older workers look for the seed in the input. What else is in it can be made again from the task's arguments.
  const input = about.seed === undefined ? {} : { seed: about.seed }
  const known = { ...about, input, cut: true } as const
  return requestId === undefined
    ? { ...known, _tag: "Intended", ...(accepted === undefined ? {} : { accepted }) }
    : {
        ...known,
        _tag: "Submitted",
        requestId,
        ...(paths === undefined ? {} : { paths }),
        ...(unknownSince === undefined ? {} : { unknownSince })
      }
}
