import { Effect, Option, Schema } from "effect"
import type { PictureRequest } from "../../../services/Catalogue.ts"
import { MediaStore } from "../../../services/MediaStore.ts"
import { ModelLibrary } from "../../../services/ModelLibrary.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import { RetryLater, type Task } from "../../task/Task.ts"
import * as Arguments from "./Arguments.ts"
import { anySeed } from "./generateModel.ts"
import { maySave } from "./libraryCircuit.ts"
import * as Parameters from "./Parameters.ts"
import { buying, payOnce } from "../purchase/payOnce.ts"
import { nullish } from "../../../wire/nullish.ts"
import { asking, deliver, resultOf } from "./saving.ts"

/** The dict that `generate_model` returned, of which only these matter. */
export const Returned = Schema.Struct({
  id: nullish(Parameters.described.id),
  template_id: Parameters.TemplateId,
  version: nullish(Schema.Int),
  image_url: Parameters.StoredPictureUrl,
  gender: nullish(Parameters.described.gender),
  age_range: nullish(Parameters.described.age_range),
  body_type: nullish(Parameters.described.body_type),
  pose: nullish(Parameters.described.pose),
  style: nullish(Parameters.described.style)
})
const Identified = Schema.Struct({ id: Schema.NonEmptyString })

export const Request = Schema.Struct({
  model: Arguments.optional(Schema.Union([Schema.NonEmptyString, Schema.JsonObject])),
  prompt: Parameters.Prompt,
  model_id: Arguments.optional(Schema.NonEmptyString.check(Schema.isMaxLength(100))),
  template_id: Arguments.optional(Parameters.TemplateId),
  version: Arguments.optional(Parameters.Version),
  strength: Arguments.optional(Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1 }))),
  seed: Arguments.optional(Parameters.Seed),
  save: Arguments.flag(true)
})
export const names = ["model", "prompt", "model_id", "template_id", "version", "strength", "seed", "save"]

/**
 * The edited picture, for the row and the result. Noted when the edit is bought, because the source may be deleted before it
 * ends.
 */
const Edited = Schema.Struct({
  id: Schema.NullOr(Schema.String),
  version: Schema.NullOr(Schema.Finite),
  templateId: Schema.String,
  gender: Schema.NullOr(Schema.String),
  ageRange: Schema.NullOr(Schema.String),
  bodyType: Schema.NullOr(Schema.String),
  pose: Schema.NullOr(Schema.String),
  style: Schema.NullOr(Schema.String)
})
const encodeEdited = Schema.encodeEffect(Edited)
const decodeEdited = Schema.decodeUnknownOption(Edited)

interface Source extends Schema.Schema.Type<typeof Edited> {
  readonly imageUrl: string
}

const fromDict = (dict: typeof Returned.Type): Source => ({
  id: dict.id ?? null,
  templateId: dict.template_id,
  version: dict.version ?? null,
  imageUrl: dict.image_url,
  gender: dict.gender ?? null,
  ageRange: dict.age_range ?? null,
  bodyType: dict.body_type ?? null,
  pose: dict.pose ?? null,
  style: dict.style ?? null
})

/** Whether fal can be given the picture at this address: by http, as a data URL, or from our media store. */
const isReadable = Effect.fnUntraced(function* (address: string) {
  const store = yield* MediaStore
  return Schema.is(Parameters.PictureUrl)(address) || (store.kind !== "unset" && store.nameIn(address) !== undefined)
})

const types: Readonly<Record<string, string>> = { jpg: "image/jpeg", png: "image/png", webp: "image/webp" }
/**
 * The address as fal can read it. A picture of our media store is sent along as a data URL: the store need not be public, and
 * fal's own copy may be gone.
 */
const readableByFal = Effect.fnUntraced(function* (address: string) {
  const store = yield* MediaStore
  const name = store.kind === "unset" ? undefined : store.nameIn(address)
  if (store.kind === "unset" || name === undefined) return address
  const bytes = yield* Effect.mapError(store.get(name), (error) =>
    error.reason === "missing"
      ? TaskFailure.mediaError(`model: its picture is not in the media store any more: ${name}`)
      : new RetryLater({ reason: "media", failure: TaskFailure.mediaError(error.message), counted: true, atLeast: 0 })
  )
  const type = types[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream"
  const url = `data:${type};base64,${Buffer.from(bytes).toString("base64")}`
  if (!Schema.is(Parameters.PictureUrl)(url))
    return yield* TaskFailure.mediaError(`model: its picture is too large to be sent to fal: ${bytes.length} bytes`)
  return url
})

const find = Effect.fnUntraced(function* (field: string, which: Parameters<ModelLibrary["Service"]["find"]>[0]) {
  const library = yield* ModelLibrary
  const found = yield* asking(library.find(which))
  if (Option.isNone(found)) return yield* TaskFailure.modelNotFound(`${field}: no such model in the library`)
  // Rows made by hand may name a file or nothing: fal would be asked, and might bill, for what cannot be edited.
  if (!(yield* isReadable(found.value.imageUrl)))
    return yield* TaskFailure.validationError(
      `${field}: version ${found.value.version} of ${found.value.templateId} has no picture at an http or data URL`
    )
  return found.value
})

export const SOURCES = ["model", "model_id", "template_id"] as const

/** Which picture is to be edited: a row, or one that the call describes. Exactly one of the sources says so. */
export const named = Effect.fnUntraced(function* (request: typeof Request.Type) {
  const given = SOURCES.filter((name) => request[name] !== null)
  if (given.length !== 1)
    return yield* TaskFailure.validationError("model: exactly one of model, model_id and template_id is needed")
  if (request.version !== null && request.template_id === null) {
    return yield* TaskFailure.validationError("version: goes with template_id only")
  }
  if (request.template_id !== null)
    return { field: "template_id", row: { templateId: request.template_id, version: request.version } }
  if (request.model_id !== null) return { field: "model_id", row: { id: request.model_id } }
  if (typeof request.model === "string") return { field: "model", row: { id: request.model } }
  const identified = Schema.decodeUnknownOption(Identified)(request.model)
  // A dict with an id and no picture is an id.
  if (Option.isSome(identified) && request.model?.["image_url"] === undefined)
    return { field: "model", row: { id: identified.value.id } }
  return fromDict(
    yield* Arguments.bind(Schema.Struct({ model: Returned }), ["model"], {
      args: [],
      kwargs: {
        model: Object.fromEntries(Object.entries(request.model ?? {}).filter(([key]) => Object.hasOwn(Returned.fields, key)))
      }
    }).pipe(Effect.map(({ model }) => model))
  )
})

const sourceOf = Effect.fnUntraced(function* (request: typeof Request.Type) {
  const source = yield* named(request)
  if ("row" in source) return yield* find(source.field, source.row)
  if (!(yield* isReadable(source.imageUrl)))
    return yield* TaskFailure.validationError(
      "model.image_url: expected the URL of a picture, got a file of no media store of ours"
    )
  return source
})

/** Looked for once more when the edit is paid: that the database is away uses up none of the task's retries. */
const paidFor = <A, R>(found: Effect.Effect<A, TaskFailure.TaskFailure | RetryLater, R>) =>
  Effect.catchTag(found, "RetryLater", (later) => Effect.fail(new RetryLater({ ...later, counted: false })))

const run = Effect.fn("task.edit_model")(function* (task: Task) {
  const request = yield* Arguments.bind(Request, names, task, { firstIsDict: true })
  const wanted = Effect.gen(function* () {
    const { imageUrl, ...source } = yield* sourceOf(request)
    const { prompt, strength } = request
    const seed = request.seed ?? (yield* anySeed)
    const edit: PictureRequest = { _tag: "Edit", prompt, seed, source: yield* readableByFal(imageUrl), strength }
    return { request: edit, note: yield* Effect.orDie(encodeEdited(source)) }
  })
  const bought = yield* payOnce(task, wanted, request.save ? maySave : Effect.void)
  const noted = decodeEdited(bought.note)
  const about = Effect.map(
    Option.isSome(noted) ? Effect.succeed(noted.value) : paidFor(sourceOf(request)),
    ({ id, version, ...source }) => ({
      templateId: source.templateId,
      gender: source.gender,
      ageRange: source.ageRange,
      bodyType: source.bodyType,
      pose: source.pose,
      style: source.style,
      version: null,
      prompt: request.prompt,
      metadata: { edited_from: { id, template_id: source.templateId, version } }
    })
  )
  return { value: resultOf(bought, yield* deliver(task, bought, about, request.save), null), children: [] }
})

export const editModel = { ...buying, name: "edit_model", run }
