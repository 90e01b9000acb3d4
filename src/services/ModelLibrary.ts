import { Context, type Effect, type Option, Schema } from "effect"

/** `retryable`: the database is away or busy, and the same call may work later. */
export class LibraryError extends Schema.TaggedError<LibraryError>()("LibraryError", {
  operation: Schema.String,
  detail: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message() {
    return `${this.operation}: ${this.detail}`
  }
}

/** One row of `model_library` (product.md 5). */
export const Model = Schema.Struct({
  id: Schema.String,
  templateId: Schema.String,
  version: Schema.Int,
  imageUrl: Schema.String,
  thumbnailUrl: Schema.NullOr(Schema.String),
  gender: Schema.NullOr(Schema.String),
  ageRange: Schema.NullOr(Schema.String),
  bodyType: Schema.NullOr(Schema.String),
  pose: Schema.NullOr(Schema.String),
  style: Schema.NullOr(Schema.String),
  prompt: Schema.NullOr(Schema.String),
  metadata: Schema.NullOr(Schema.JsonObject),
  falRequestId: Schema.NullOr(Schema.String),
  processingTimeMs: Schema.NullOr(Schema.Int)
})
export interface Model extends Schema.Schema.Type<typeof Model> {}

/** A model to be saved; `version` null means the template's next free one. */
export interface NewModel extends Omit<Model, "id" | "version" | "falRequestId"> {
  readonly version: number | null
  readonly falRequestId: string
}

/** A row like those we save, of a template that nobody else has. */
export const sample = (unique: string): NewModel => ({
  templateId: `model-generator.rehearsal.${unique}`,
  version: null,
  imageUrl: "https://fal.media/files/rehearsal/rehearsal.jpeg",
  thumbnailUrl: "https://fal.media/files/rehearsal/rehearsal.jpeg",
  gender: "female",
  ageRange: "20-30",
  bodyType: "plus-size",
  pose: "front standing",
  style: "professional",
  prompt: "Fashion model, female, 20-30 years old, body type: plus-size, pose: front standing",
  metadata: { rehearsal: true },
  falRequestId: unique,
  processingTimeMs: 2000
})

export class ModelLibrary extends Context.Service<
  ModelLibrary,
  {
    /**
     * Saves once per `falRequestId`: a second call returns the row of the first. A version that is taken is replaced by the
     * template's next free one; free versions are given out correctly to any number of savers at once.
     */
    readonly save: (model: NewModel) => Effect.Effect<Model, LibraryError>
    readonly find: (
      which: { readonly id: string } | { readonly templateId: string; readonly version: number | null }
    ) => Effect.Effect<Option.Option<Model>, LibraryError>
    /** Those of the given templates that have at least one version. */
    readonly having: (templateIds: ReadonlyArray<string>) => Effect.Effect<ReadonlySet<string>, LibraryError>
    /** Would a row of ours be taken now? Writes one and takes it back. Fails as `save` would. */
    readonly rehearse: Effect.Effect<void, LibraryError>
    readonly ping: Effect.Effect<void, LibraryError>
  }
>()("model-generator/services/ModelLibrary") {}
