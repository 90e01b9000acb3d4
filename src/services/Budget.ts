import { Context, type Effect, Schema } from "effect"

import { NanoDollars } from "./NanoDollars.ts"

/** The store of the budget did not answer. The same call may work later. */
export class BudgetError extends Schema.TaggedError<BudgetError>()("BudgetError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

/** What a cap counts for: a calendar day or a calendar month of BUDGET_TIMEZONE. */
export const spans = ["day", "month"] as const
export type Span = (typeof spans)[number]

/** What is counted together: every request of the fleet, those of one caller, or those of one model. */
export type Subject = "all" | `caller:${string}` | `model:${string}`

/** At most so much may be spent and reserved for a subject in a span. */
export interface Cap {
  readonly span: Span
  readonly subject: Subject
  readonly limit: NanoDollars
}

/** The budget that has not enough left for a request. */
export interface OverBudget {
  readonly _tag: "over"
  readonly span: Span
  readonly subject: Subject
  /** When the next period begins (Unix seconds). */
  readonly ends: number
  readonly limit: NanoDollars
  readonly used: NanoDollars
  /** Nobody was told before that this limit is reached. */
  readonly first: boolean
}

/** A cap that holds instead of the one in the settings until its time is over. */
export interface Override {
  readonly limit: NanoDollars
  /** Unix seconds, by the store's clock. */
  readonly until: number
}

/** How a budget stands in its current period. */
export interface Standing {
  readonly span: Span
  readonly subject: Subject
  /** 2026-11-27, or 2026-11. */
  readonly period: string
  /** The first instant of the next period (Unix seconds). */
  readonly ends: number
  /** Paid, or perhaps to be paid: what is reserved is part of it. */
  readonly used: NanoDollars
  /** What may be used at the most now; null for any amount. */
  readonly limit: NanoDollars | null
  /** The cap of the settings; null where they have none. */
  readonly cap: NanoDollars | null
  /** While its time is not over. */
  readonly override: Override | null
}

/** A budget in words: the budget of the day, or of the month for caller:shop. */
export const nameOf = ({ span, subject }: Pick<Standing, "span" | "subject">): string =>
  subject === "all" ? `the budget of the ${span}` : `the budget of the ${span} for ${subject}`

/** What may still be used; null for any amount. */
export const leftOf = ({ limit, used }: Pick<Standing, "limit" | "used">): NanoDollars | null =>
  limit === null ? null : NanoDollars.make(Math.max(0, limit - used))

export interface Status {
  readonly standings: ReadonlyArray<Standing>
  /** Requests whose price is reserved and whose outcome is not known yet. */
  readonly reservations: number
  /** Their prices together. */
  readonly reserved: NanoDollars
}

/**
 * What the fleet may spend, has spent and has reserved. Money is reserved and settled by the journal, in the steps that write its
 * entries; here it is looked at, and caps are changed while workers run.
 */
export class Budget extends Context.Service<
  Budget,
  {
    /** `all` for each span, and whatever else has a cap or an override. */
    readonly status: Effect.Effect<Status, BudgetError>
    /** All workers keep to this cap instead of the one in their settings, until then (Unix seconds). */
    readonly override: (cap: Cap, until: number) => Effect.Effect<void, BudgetError>
    /** The cap of the settings holds again. */
    readonly restore: (span: Span, subject: Subject) => Effect.Effect<void, BudgetError>
  }
>()("model-generator/services/Budget") {}
