import type { Rules } from "../../src/layers/journal/money.ts"
import { type NanoDollars, usd } from "../../src/services/NanoDollars.ts"

/**
 * How long the day and the month of a budget are here, so that a run sees some of them, and the grace of a lost submit ends
 * within one (seconds).
 */
export const DAY = 150
const MONTH = 10 * DAY

/** The most that one picture is reserved at: an edit of a source of unknown size. */
export const DEAREST: NanoDollars = usd("0.12")

const periodsOf = (length: number) => (millis: number) => {
  const now = Math.floor(millis / 1000 / length)
  return [now - 1, now, now + 1].map((at) => ({ label: String(at).padStart(12, "0"), ends: (at + 1) * length }))
}

/** A budget of so much a day; null for any amount. */
export const budgetRules = (budget: NanoDollars | null): Rules => ({
  alert: 0.8,
  counted: [
    { span: "day", subject: "all", limit: budget },
    { span: "month", subject: "all", limit: null }
  ],
  around: (millis) => ({ day: periodsOf(DAY)(millis), month: periodsOf(MONTH)(millis) })
})
