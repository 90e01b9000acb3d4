import { Clock, Effect } from "effect"
import { Ledger } from "../../services/Ledger.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"

const DAY = 86_400_000
/** The days before now whose mean is taken for the days to come. */
const WINDOW = 7

/** What this month (UTC) has cost, and will come to. */
export interface Forecast {
  readonly month: string
  readonly soFar: NanoDollars.NanoDollars
  /** Dollars a day, by the days looked at. undefined where the ledger has nothing to go by. */
  readonly daily: { readonly amount: NanoDollars.NanoDollars; readonly days: number } | undefined
  readonly total: NanoDollars.NanoDollars | undefined
}

const cost = Effect.fnUntraced(function* (since: number, until: number) {
  const ledger = yield* Ledger
  return NanoDollars.sum((yield* ledger.totals("month", { since, until })).map((total) => total.cost))
})

/**
 * This month so far, and for the rest of it the mean of the last seven days, or of as many as the ledger has: at least one, so that
 * a first hour is not taken for a day. An estimate, as it takes the days to come for like those.
 */
export const forecast = Effect.gen(function* () {
  const ledger = yield* Ledger
  const now = yield* Clock.currentTimeMillis
  const today = new Date(now)
  const begin = Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), 1)
  const end = Date.UTC(today.getUTCFullYear(), today.getUTCMonth() + 1, 1)
  const month = today.toISOString().slice(0, 7)
  const soFar = yield* cost(begin, now)
  const [first] = yield* ledger.list({ since: null, until: now }, null, 1)
  if (first === undefined) return { month, soFar, daily: undefined, total: undefined } satisfies Forecast
  const window = Math.round(Math.min(WINDOW * DAY, Math.max(DAY, now - first.at)))
  const lately = yield* cost(now - window, now)
  return {
    month,
    soFar,
    daily: { amount: NanoDollars.share(lately, DAY, window), days: window / DAY },
    total: NanoDollars.sum([soFar, NanoDollars.share(lately, end - now, window)])
  } satisfies Forecast
})

const round = (amount: NanoDollars.NanoDollars) => NanoDollars.toUsd(amount).toFixed(2)

export const describe = ({ daily, month, soFar, total }: Forecast): string => {
  if (daily === undefined || total === undefined) return `${month}: nothing so far`
  const days = daily.days === 1 ? "the last day" : `the last ${Number(daily.days.toFixed(1))} days`
  return `${month}: ${NanoDollars.dollars(soFar)} so far; at the mean of ${days} ($${round(daily.amount)} a day) it will come to about $${round(total)} (an estimate)`
}

export const inJson = ({ daily, month, soFar, total }: Forecast) => ({
  month,
  so_far_usd: NanoDollars.toUsd(soFar),
  usd_a_day: daily === undefined ? null : NanoDollars.toUsd(daily.amount),
  mean_of_days: daily?.days ?? null,
  will_come_to_usd: total === undefined ? null : NanoDollars.toUsd(total),
  is: "an estimate: this month so far, and the mean of the days looked at for each day left"
})
