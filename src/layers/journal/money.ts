import { type DateTime, Effect, Option } from "effect"
import { type OverBudget, type Override, type Span, spans, type Status, type Subject } from "../../services/Budget.ts"
import { attemptOf, type Generation } from "../../services/Journal.ts"
import { type NanoDollars, sum, toUsd, zero } from "../../services/NanoDollars.ts"
import * as Settings from "../../services/Settings.ts"
import { type Period, periodsAround } from "./calendar.ts"

/** What a write of a journal entry says of money: what the request may cost at the most, and what has been settled. */
export interface Money {
  /** Names the generation that is written. */
  readonly attempt: string
  /** Nano-dollars; 0 where the price is not known. */
  readonly price: NanoDollars
  /** Where the price is counted, whether or not there is a cap. */
  readonly subjects: ReadonlyArray<Subject>
  /** The generation whose outcome is known, and what it has cost: undefined for as much as was reserved. */
  readonly settles: { readonly attempt: string; readonly cost: NanoDollars | undefined } | undefined
}

/** Of an entry that is removed there is nothing to reserve. */
export const moneyOf = (entry: Generation | null, withdrawn: Generation | undefined): Money => {
  const settles =
    withdrawn !== undefined
      ? { attempt: String(attemptOf(withdrawn)), cost: zero }
      : entry?._tag === "Generated"
        ? { attempt: String(attemptOf(entry)), cost: entry.cost }
        : undefined
  if (entry === null) return { attempt: "", price: zero, subjects: [], settles }
  return {
    attempt: String(attemptOf(entry)),
    price: entry.price ?? zero,
    subjects: ["all", `model:${entry.endpoint}`, ...(entry.caller === undefined ? [] : [`caller:${entry.caller}` as const])],
    settles
  }
}

/** A limit that is used up so far that a person should know. */
export interface Warning extends Pick<OverBudget, "span" | "subject" | "limit" | "used"> {
  readonly period: string
}

/** A subject in a span, and the most that may be used of it (nano-dollars); null for any amount. */
export interface Counted {
  readonly span: Span
  readonly subject: Subject
  readonly limit: NanoDollars | null
}

/** The rules of a budget as the settings have them. */
export interface Rules {
  /** The part of a limit at which a person is told. */
  readonly alert: number
  /** What is counted: `all` in each span, with or without a limit, and whatever else has one. */
  readonly counted: ReadonlyArray<Counted>
  /** The periods around an instant (Unix milliseconds), of each span. */
  readonly around: (millis: number) => Readonly<Record<Span, ReadonlyArray<Period>>>
}

/** Periods are looked for again when the instant has left the middle one. */
const remembering = (zone: DateTime.TimeZone): Rules["around"] => {
  const known: Partial<Record<Span, ReadonlyArray<Period>>> = {}
  const of = (span: Span, millis: number) => {
    const before = known[span]
    const isMiddle = before !== undefined && before[0]!.ends * 1000 <= millis && millis < before[1]!.ends * 1000
    return isMiddle ? before : (known[span] = periodsAround(millis, span, zone))
  }
  return (millis) => ({ day: of("day", millis), month: of("month", millis) })
}

export const rules = Effect.map(
  Settings.of("BUDGET_DAY", "BUDGET_MONTH", "BUDGET_CAPS", "BUDGET_ALERT", "BUDGET_TIMEZONE"),
  ({ BUDGET_ALERT, BUDGET_CAPS, BUDGET_DAY, BUDGET_MONTH, BUDGET_TIMEZONE }): Rules => {
    const all = { day: Option.getOrNull(BUDGET_DAY), month: Option.getOrNull(BUDGET_MONTH) }
    return {
      alert: BUDGET_ALERT,
      counted: [...spans.map((span) => ({ span, subject: "all" as const, limit: all[span] })), ...BUDGET_CAPS],
      around: remembering(BUDGET_TIMEZONE)
    }
  }
)

/** One alert for each limit and period, in the log of the worker whose request reached it. */
export const warn = (warnings: ReadonlyArray<Warning>) =>
  Effect.forEach(
    warnings,
    ({ limit, period, span, subject, used }) =>
      Effect.logWarning("a budget is nearly used up", {
        event: "budget",
        span,
        subject,
        period,
        usedUsd: toUsd(used),
        limitUsd: toUsd(limit)
      }),
    { discard: true }
  )

/** What the store has of a budget. */
interface Kept {
  readonly usedOf: (span: Span, subject: Subject) => NanoDollars
  readonly overrideOf: (span: Span, subject: Subject) => Override | null
  /** Of the requests whose outcome is not known. */
  readonly prices: ReadonlyArray<NanoDollars>
}
export const statusOf = ({ around, counted }: Rules, now: number, { overrideOf, prices, usedOf }: Kept): Status => {
  const periods = around(now)
  return {
    standings: counted.map(({ limit, span, subject }) => {
      const { ends, label } = periods[span][1]!
      const set = overrideOf(span, subject)
      const override = set !== null && set.until * 1000 > now ? set : null
      const used = usedOf(span, subject)
      return { span, subject, period: label, ends, used, limit: override?.limit ?? limit, cap: limit, override }
    }),
    reservations: prices.length,
    reserved: sum(prices)
  }
}
