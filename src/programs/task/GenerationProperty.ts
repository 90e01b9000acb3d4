import { Option, Schema } from "effect"
import { Paths } from "../../services/Generator.ts"
import { type Generation, isSameTask } from "../../services/Journal.ts"

/** What a message says of the request its task pays for, in its property `generation`: enough to find the request again. */
const Carried = Schema.Struct({
  attempt: Schema.optionalKey(Schema.Finite),
  digest: Schema.optionalKey(Schema.String),
  endpoint: Schema.String,
  at: Schema.Finite,
  resubmits: Schema.Int,
  seed: Schema.optionalKey(Schema.Finite),
  note: Schema.optionalKey(Schema.JsonObject),
  timeLimit: Schema.optionalKey(Schema.Finite),
  /** None while it is not known whether fal accepted it. */
  requestId: Schema.optionalKey(Schema.NonEmptyString),
  paths: Schema.optionalKey(Paths),
  unknownSince: Schema.optionalKey(Schema.Finite),
  accepted: Schema.optionalKey(Schema.Literal(true))
})
const encode = Schema.encodeSync(Carried)
const decode = Schema.decodeUnknownOption(Carried)

/** A message is not to grow by more than this (characters of JSON). */
const LARGEST = 4096

/** As it goes along with a message; `null` where nothing is paid for, undefined where nothing is known. */
export const of = (generation: Generation | null | undefined): Schema.JsonObject | null | undefined => {
  if (generation === null || generation === undefined) return generation
  const { _tag: _, input, ...known } = generation
  const seed = typeof input["seed"] === "number" ? { seed: input["seed"] } : {}
  const all = encode({ ...known, ...seed })
  const { note: __, paths: ___, ...least } = all
  return [all, least].find((carried) => JSON.stringify(carried).length <= LARGEST)
}

/** What such a property says of the task with this digest. Anybody may have written it: what does not fit says nothing. */
export const read = (message: { readonly generation: unknown; readonly digest: string }): Generation | undefined => {
  if (message.generation === undefined) return undefined
  const carried = Option.getOrUndefined(decode(message.generation))
  if (carried === undefined || !isSameTask(carried, message)) return undefined
  const { accepted, paths, requestId, seed, unknownSince, ...about } = carried
  const input = seed === undefined ? {} : { seed }
  // The rest of what fal is asked is in the task.
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
