import { Context, type Effect, Schema } from "effect"

/** The provider did not say that it has deleted anything. The same call may work later. */
export class PayloadsError extends Schema.TaggedError<PayloadsError>()("PayloadsError", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** A file that the provider has not deleted, and why. */
export interface Left {
  readonly address: string
  readonly why: string
}

/** `not known`: the provider has nothing of this request, or not any more. */
export type Deletion = { readonly _tag: "not known" } | { readonly _tag: "deleted"; readonly left: ReadonlyArray<Left> }

/** What the provider keeps of a request: its input, its output, and the files of the output. */
export class Payloads extends Context.Service<
  Payloads,
  {
    /** Whether there is a key to delete them with. Without, the call below fails. */
    readonly isDeletable: boolean
    /** Deletes them for good. Deleting again what is deleted does no harm. */
    readonly remove: (requestId: string) => Effect.Effect<Deletion, PayloadsError>
  }
>()("model-generator/services/Payloads") {}
