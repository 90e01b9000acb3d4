import { Context, type Effect, Schema } from "effect"
import { NanoDollars } from "./NanoDollars.ts"

/** The provider's bills cannot be read now. The same call may work later. */
export class BillsError extends Schema.TaggedError<BillsError>()("BillsError", { detail: Schema.String }) {}

/** One request that the provider has charged for. */
export const Charge = Schema.Struct({
  requestId: Schema.String,
  endpoint: Schema.String,
  /** When, by the provider's clock (Unix milliseconds). */
  at: Schema.Finite,
  units: Schema.NullOr(Schema.Finite),
  /** null where the provider does not say. */
  cost: Schema.NullOr(NanoDollars)
})
export interface Charge extends Schema.Schema.Type<typeof Charge> {}

/** What a request was asked for, as far as its result tells. */
export interface Made {
  readonly seed: number | null
  readonly prompt: string | null
}

/**
 * What the provider has charged for, which only an administrator's key may read. Charges come late, and some never: that there is
 * none does not mean that a request was free.
 */
export class Bills extends Context.Service<
  Bills,
  {
    /** Whether there is a key to read them with. Without, every call below fails. */
    readonly isReadable: boolean
    /** The charges of a time (Unix milliseconds), at most `MOST`, the oldest first. */
    readonly between: (from: number, to: number) => Effect.Effect<ReadonlyArray<Charge>, BillsError>
    /** What this request was asked for. None of its failures says anything about the request. */
    readonly made: (endpoint: string, requestId: string) => Effect.Effect<Made, BillsError>
  }
>()("model-generator/services/Bills") {}

/** No more charges are read at once. */
export const MOST = 20_000
