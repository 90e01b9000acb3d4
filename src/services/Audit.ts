import { Context, type Effect, Schema } from "effect"
import type { LibraryError } from "./LibraryError.ts"

/** What a person has done at the console. */
export const Deed = Schema.Struct({
  who: Schema.String,
  /** A few words of ours, such as `signed in`. */
  action: Schema.String,
  /** What it was done to: a picture's id, a task's id; "" where it is nothing in particular. */
  subject: Schema.String,
  detail: Schema.JsonObject
})
export interface Deed extends Schema.Schema.Type<typeof Deed> {}

/** A deed, when it was done (Unix milliseconds), and its number: later ones have larger numbers. */
export const Entry = Schema.Struct({ ...Deed.fields, seq: Schema.Int, at: Schema.Finite })
export interface Entry extends Schema.Schema.Type<typeof Entry> {}

/** Rows are added, and never changed. */
export class Audit extends Context.Service<
  Audit,
  {
    readonly record: (deed: Deed) => Effect.Effect<void, LibraryError>
    /** The newest first, from before the one with the number `before`. */
    readonly list: (before: number | null, limit: number) => Effect.Effect<ReadonlyArray<Entry>, LibraryError>
  }
>()("model-generator/services/Audit") {}
