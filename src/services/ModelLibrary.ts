import { Context, type Effect, type Option, Schema } from "effect"
import type * as Ledger from "./Ledger.ts"
import type { LibraryError } from "./LibraryError.ts"

export { LibraryError } from "./LibraryError.ts"

/** One row of `model_library`. */
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

/** A row as a listing shows it. */
export const Listed = Schema.Struct({ ...Model.fields, createdAt: Schema.Finite })
export interface Listed extends Schema.Schema.Type<typeof Listed> {}
/** Which rows a listing shows; null stands for all. */
export interface Selection {
  readonly templateId: string | null
  readonly gender: ReadonlyArray<string> | null
  readonly ageRange: ReadonlyArray<string> | null
  readonly bodyType: ReadonlyArray<string> | null
  readonly pose: ReadonlyArray<string> | null
  readonly style: ReadonlyArray<string> | null
  readonly version: number | null
  /** Saved at this time or later, and before that time (Unix milliseconds). */
  readonly since: number | null
  readonly before: number | null
}
export const everything: Selection = {
  templateId: null,
  gender: null,
  ageRange: null,
  bodyType: null,
  pose: null,
  style: null,
  version: null,
  since: null,
  before: null
}

/** A row like those that we save, for a template id that no other row has. */
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

/** fal keeps a picture for 7 days by default, if the account does not say otherwise (seconds). */
export const FAL_KEEPS = 7 * 86_400
/** Hosts of fal's, as PostgreSQL and JavaScript both read it. */
export const AT_FAL = "^https?://([a-z0-9-]+[.])*fal[.](media|ai|run)/"

export class ModelLibrary extends Context.Service<
  ModelLibrary,
  {
    /**
     * Saves once per `falRequestId`, in one step with the ledger's rows of what was `paid`: a second call returns the row of the first. A version that is taken is replaced by the
     * template's next free one; free versions are given out correctly to any number of savers at once.
     */
    readonly save: (model: NewModel, paid?: ReadonlyArray<Ledger.Row>) => Effect.Effect<Model, LibraryError>
    readonly find: (
      which:
        | { readonly id: string }
        | { readonly falRequestId: string }
        | { readonly templateId: string; readonly version: number | null }
    ) => Effect.Effect<Option.Option<Model>, LibraryError>
    /** Which of the given templates have at least one version. */
    readonly having: (templateIds: ReadonlyArray<string>) => Effect.Effect<ReadonlySet<string>, LibraryError>
    /**
     * The selected rows, the newest first: at most `limit`, from behind the row with the id `after`. `createdAt` is in Unix
     * milliseconds.
     */
    readonly list: (which: Selection, after: string | null, limit: number) => Effect.Effect<ReadonlyArray<Listed>, LibraryError>
    /** Puts other addresses and metadata into a row, if it still has this picture. `false` when it has not. */
    readonly replacePicture: (
      row: Pick<Model, "id" | "imageUrl">,
      by: Pick<Model, "imageUrl" | "thumbnailUrl" | "metadata">
    ) => Effect.Effect<boolean, LibraryError>
    /** Deletes a row. `false` when it is not there. */
    readonly remove: (id: string) => Effect.Effect<boolean, LibraryError>
    /** How many rows are older than this and have their picture at fal's address. */
    readonly atFalSince: (seconds: number) => Effect.Effect<number, LibraryError>
    /** Would a row of ours be taken now, and the ledger's? Writes them and takes them back. Fails as `save` would. */
    readonly rehearse: Effect.Effect<void, LibraryError>
    readonly ping: Effect.Effect<void, LibraryError>
  }
>()("model-generator/services/ModelLibrary") {}
