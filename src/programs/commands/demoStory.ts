import { Duration, Effect, Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { ResultStore } from "../../services/ResultStore.ts"
import { awaitResult, errorOf, send } from "./client.ts"
import { Failed } from "./outcome.ts"

const PATIENCE = Duration.seconds(90)

/** The fields of a result that the demo reads. */
export const Made = Schema.Struct({
  template_id: Schema.String,
  version: Schema.NullOr(Schema.Int),
  image_url: Schema.String,
  gender: Schema.NullOr(Schema.String),
  age_range: Schema.NullOr(Schema.String),
  body_type: Schema.NullOr(Schema.String),
  pose: Schema.NullOr(Schema.String),
  style: Schema.NullOr(Schema.String),
  prompt: Schema.String,
  seed: Schema.NullOr(Schema.Finite),
  fal_request_id: Schema.String,
  processing_time_ms: Schema.Int,
  saved: Schema.Boolean
})
export interface Made extends Schema.Schema.Type<typeof Made> {}

export type Ended =
  | { readonly _tag: "Made"; readonly made: Made; readonly editedFrom: string | null }
  | {
      readonly _tag: "Refused"
      readonly what: string
      readonly type: string
      readonly message: string
      /** The demo asks for one refusal, to show it. Any other is a failure. */
      readonly onPurpose: boolean
    }

/** Called with each step of the demo, to show it. */
export interface Told {
  readonly expecting: (more: number) => void
  readonly ended: (ended: Ended) => Effect.Effect<void>
  readonly retrying: (what: string, why: string) => Effect.Effect<void>
}

export const titleOf = (made: Made) => `${made.template_id} v${made.version ?? "?"}`

const refused = (
  what: string,
  error: { readonly type: string; readonly message: string },
  wanted: string | undefined
): Ended => ({
  _tag: "Refused",
  what,
  ...error,
  onPurpose: error.type === wanted
})

/** Waits for a task and tells when it is put back on the way. */
const follow = Effect.fnUntraced(function* (
  id: string,
  what: string,
  editedFrom: string | null,
  told: Told,
  refusalWanted?: string
) {
  const results = yield* ResultStore
  let retried = false
  const watch = Effect.forever(
    Effect.gen(function* () {
      yield* Effect.sleep("50 millis")
      const now = yield* results.get(id)
      const retrying = Option.isSome(now) && now.value.status === "RETRY"
      if (retrying && !retried) yield* told.retrying(what, errorOf(now.value).message)
      retried = retrying
    })
  )
  const found = yield* Effect.raceFirst(awaitResult(id, PATIENCE), watch)
  if (Option.isNone(found)) return yield* new Failed({ message: `${what} did not end within ${Duration.format(PATIENCE)}` })
  const made = Schema.decodeUnknownOption(Made)(found.value.result)
  const ended: Ended =
    found.value.status === "SUCCESS" && Option.isSome(made)
      ? { _tag: "Made", made: made.value, editedFrom }
      : refused(what, errorOf(found.value), refusalWanted)
  yield* told.ended(ended)
  return ended
})

const Sent = Schema.Struct({ task_ids: Schema.Array(Schema.String), templates: Schema.Array(Schema.String) })

const aBatch = Effect.fnUntraced(function* (count: number, seed: number, told: Told) {
  const id = yield* send("batch_generate", { count, seed })
  const batch = yield* awaitResult(id, PATIENCE)
  const { task_ids, templates } = yield* Schema.decodeUnknownEffect(Sent)(Option.isSome(batch) ? batch.value.result : null).pipe(
    Effect.mapError(() => new Failed({ message: "batch_generate did not go as it should" }))
  )
  told.expecting(task_ids.length)
  return yield* Effect.forEach(task_ids, (child, at) => follow(child, templates[at] ?? child, null, told), {
    concurrency: "unbounded"
  })
})

const SOMEBODY = { gender: "female", age_range: "25-35", body_type: "average", pose: "front standing", style: "professional" }
const EDIT = "the same person in a red coat"

/** `chain(generate_model.s(..), edit_model.s(prompt=..))`, as Python sends it: the edit rides in the first task's message. */
const aChain = Effect.fnUntraced(function* (seed: number, told: Told) {
  told.expecting(2)
  const edit = yield* Effect.sync(() => randomUUID())
  const next = {
    task: "edit_model",
    args: [],
    kwargs: { prompt: EDIT, seed },
    options: { task_id: edit },
    subtask_type: null,
    immutable: false
  }
  const first = yield* send("generate_model", { ...SOMEBODY, seed }, { chain: [next] })
  const source = yield* follow(first, "generate_model", null, told)
  if (source._tag === "Refused") return [source]
  return [source, yield* follow(edit, "edit_model", `v${source.made.version ?? "?"}`, told)]
})

/** A request for a minor: refused before anything is paid. */
const aRefusal = Effect.fnUntraced(function* (told: Told) {
  told.expecting(1)
  const id = yield* send("generate_model", { ...SOMEBODY, age_range: "12-16" })
  return [yield* follow(id, "generate_model for 12-16 years", null, told, "ValidationError")]
})

/** Tasks as an App Server sends them over a day, sent all at once. */
export const story = Effect.fn("demo.story")(function* (count: number, seed: number, told: Told) {
  const parts = yield* Effect.all([aBatch(count, seed, told), aChain(seed + count, told), aRefusal(told)], {
    concurrency: "unbounded"
  })
  return parts.flat()
})
