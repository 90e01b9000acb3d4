import { Context, type Effect, Schema } from "effect"
import type { Period } from "./Ledger.ts"
import type { LibraryError } from "./LibraryError.ts"
import { everything, Listed, type Selection } from "./ModelLibrary.ts"

/** What can be decided of a picture. `undecided` takes back what was decided before. */
export const VERDICTS = ["approved", "rejected", "undecided"] as const
export const Verdict = Schema.Literals(VERDICTS)
export type Verdict = typeof Verdict.Type

const decision = {
  /** A UUID, made by whoever decides: the same decision sent again is the same row. */
  id: Schema.String,
  modelId: Schema.String,
  verdict: Verdict,
  reason: Schema.NullOr(Schema.String),
  who: Schema.String
}
export const Decision = Schema.Struct({ ...decision, at: Schema.Finite })
export interface Decision extends Schema.Schema.Type<typeof Decision> {}

/** A decision to be. `seen`: the id of the last decision that its maker saw, null for none. */
export interface NewDecision extends Omit<Decision, "at"> {
  readonly seen: string | null
}

/** Somebody else has decided since: `last` is what holds. */
export class Overtaken extends Schema.TaggedError<Overtaken>()("Overtaken", { last: Schema.NullOr(Decision) }) {}

/** A row of the library with the decision that holds. `cursor` says where it stands in a listing, also after it is deleted. */
export const Reviewed = Schema.Struct({ ...Listed.fields, cursor: Schema.String, decision: Schema.NullOr(Decision) })
export interface Reviewed extends Schema.Schema.Type<typeof Reviewed> {}

export interface Filter extends Selection {
  readonly verdict: Verdict | null
  /** The model that made it, as the ledger names it. */
  readonly model: string | null
  /** Words in its template id or its prompt, in any case. */
  readonly text: string | null
}
export const anything: Filter = { ...everything, verdict: null, model: null, text: null }

/** How many rows of a template there are, by the decision that holds. */
export const Tally = Schema.Struct({
  templateId: Schema.String,
  approved: Schema.Int,
  rejected: Schema.Int,
  undecided: Schema.Int
})
export interface Tally extends Schema.Schema.Type<typeof Tally> {}

/** What people have decided of pictures: rows are added, and the last one of a picture holds. */
export class Reviews extends Context.Service<
  Reviews,
  {
    /**
     * Adds a decision, and its row of the audit in one step. The same id again changes nothing and gives the first row. Fails
     * `Overtaken` where the last decision is not the one that was `seen`: nothing is written then.
     */
    readonly decide: (decision: NewDecision) => Effect.Effect<Decision, LibraryError | Overtaken>
    /** All that was decided of a picture, the newest first: at most a hundred. */
    readonly ofModel: (modelId: string) => Effect.Effect<ReadonlyArray<Decision>, LibraryError>
    /** The rows that fit, the newest first: at most `limit`, from behind the row whose `cursor` is given. */
    readonly list: (which: Filter, after: string | null, limit: number) => Effect.Effect<ReadonlyArray<Reviewed>, LibraryError>
    /** How many pictures were paid for in this period and are approved now. */
    readonly approved: (paid: Period) => Effect.Effect<number, LibraryError>
    /** A text that is another one once a picture has been added or decided on. */
    readonly state: Effect.Effect<string, LibraryError>
    /** Templates without a row are left out. */
    readonly tally: (templateIds: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Tally>, LibraryError>
  }
>()("model-generator/services/Reviews") {}
