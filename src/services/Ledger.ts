import { Context, type Effect, Schema } from "effect"
import type { LibraryError } from "./LibraryError.ts"
import { NanoDollars } from "./NanoDollars.ts"

/**
 * What came of a paid request. `used`: its picture was delivered. `flagged`: fal's safety checker blackened it. `wasted`: nobody
 * got it. `uncertain`: fal's answer to its submit was lost, or fal no longer knows it, so it may have cost nothing.
 */
export const OUTCOMES = ["used", "flagged", "wasted", "uncertain"] as const
export type Outcome = (typeof OUTCOMES)[number]

/** One paid request. */
export const Row = Schema.Struct({
  taskId: Schema.String,
  /** Names the request among those of its task, as the journal's `attempt` does. */
  attempt: Schema.String,
  rootId: Schema.String,
  caller: Schema.String,
  model: Schema.String,
  /** null where fal's answer to the submit was lost, or named none. */
  requestId: Schema.NullOr(Schema.String),
  /** As many as fal said it charges; null where it did not say. */
  units: Schema.NullOr(Schema.Finite),
  /** The list price of one unit, and the cost. null for a model whose price is not known. */
  price: Schema.NullOr(NanoDollars),
  cost: Schema.NullOr(NanoDollars),
  /** Where the cost comes from: `estimate` or `units`. Later versions know more. */
  source: Schema.NullOr(Schema.String),
  outcome: Schema.Literals(OUTCOMES),
  /** When the request was made (Unix milliseconds). */
  at: Schema.Finite
})
export interface Row extends Schema.Schema.Type<typeof Row> {}

/** A row as it is read: with what the provider has billed for its request since, null while it has not. */
export const Booked = Schema.Struct({ ...Row.fields, billed: Schema.NullOr(NanoDollars) })
export interface Booked extends Schema.Schema.Type<typeof Booked> {}

/** What the provider has billed for one request. */
export interface Bill {
  readonly requestId: string
  readonly units: number | null
  readonly cost: NanoDollars
  /** When, by the provider's clock (Unix milliseconds). */
  readonly at: number
}

/** What a request has cost: as billed, else as its row says. */
export const costOf = ({ billed, cost }: Pick<Booked, "billed" | "cost">) => billed ?? cost
/** Where that figure comes from. */
export const sourceOf = ({ billed, source }: Pick<Booked, "billed" | "source">) => (billed === null ? source : "billed")

/** By what the rows are added up. Days and months are those of UTC. */
export const GROUPINGS = ["day", "month", "caller", "model", "outcome"] as const
export type Grouping = (typeof GROUPINGS)[number]

/** The rows of one group. */
export const Total = Schema.Struct({
  key: Schema.String,
  requests: Schema.Int,
  /** The cost of all whose price is known: as billed, else as their rows say. */
  cost: NanoDollars,
  /** The part of it that fal's own figures do not back: neither a bill nor the units that it said it charges. */
  estimated: NanoDollars,
  /** How many have no known cost. */
  unpriced: Schema.Int
})
export interface Total extends Schema.Schema.Type<typeof Total> {}

/** Made at this time or later, and before that time (Unix milliseconds). null: without that end. */
export interface Period {
  readonly since: number | null
  readonly until: number | null
}

/** A row like those that we write, for a task id that no task has. */
export const sample = (unique: string): Row => ({
  taskId: `model-generator.rehearsal.${unique}`,
  attempt: "0.5",
  rootId: `model-generator.rehearsal.${unique}`,
  caller: "gen@rehearsal",
  model: "fal-ai/flux/dev",
  requestId: unique,
  units: 1,
  price: NanoDollars.make(25_000_000),
  cost: NanoDollars.make(25_000_000),
  source: "units",
  outcome: "used",
  at: 0
})

/**
 * One row for each paid request, never changed: it is kept by task and attempt, so that writing it again changes nothing. The row of
 * a picture that is saved is written by `ModelLibrary.save`, in one step with the picture's.
 */
export class Ledger extends Context.Service<
  Ledger,
  {
    readonly record: (rows: ReadonlyArray<Row>) => Effect.Effect<void, LibraryError>
    /** What the provider has billed. A bill stands beside the row of its request, and the first of a request is kept. */
    readonly bill: (bills: ReadonlyArray<Bill>) => Effect.Effect<void, LibraryError>
    /** The rows of one task, the oldest first: at most a hundred. */
    readonly ofTask: (taskId: string) => Effect.Effect<ReadonlyArray<Booked>, LibraryError>
    /** The rows of one request at the provider: at most a hundred. */
    readonly ofRequest: (requestId: string) => Effect.Effect<ReadonlyArray<Booked>, LibraryError>
    /** Those of these requests at the provider that have a row. */
    readonly claimed: (requestIds: ReadonlyArray<string>) => Effect.Effect<ReadonlySet<string>, LibraryError>
    /** Ordered by their keys. */
    readonly totals: (by: Grouping, period: Period) => Effect.Effect<ReadonlyArray<Total>, LibraryError>
    /** The rows of a period, the oldest first: at most `limit`, from behind the row given. */
    readonly list: (
      period: Period,
      after: Pick<Row, "taskId" | "attempt" | "at"> | null,
      limit: number
    ) => Effect.Effect<ReadonlyArray<Booked>, LibraryError>
  }
>()("model-generator/services/Ledger") {}
