import { Clock, Effect } from "effect"
import { Budget, type OverBudget, type Override, type Span, type Subject } from "../../services/Budget.ts"
import { NanoDollars, sum, zero } from "../../services/NanoDollars.ts"
import { type Counted, type Money, type Rules, statusOf, type Warning } from "../journal/money.ts"
import type { Period } from "../journal/calendar.ts"

interface Reservation {
  readonly attempt: string
  readonly price: NanoDollars
  readonly places: ReadonlyArray<{ readonly counter: Map<Subject, NanoDollars>; readonly subject: Subject }>
}

/** The money of a fleet that lives in this process. Each call is part of one step at the store, at this instant. */
export const make = (rules: Rules) => {
  /** By span and label: what is spent and reserved of each subject. */
  const spending = new Map<string, Map<Subject, NanoDollars>>()
  const reservations = new Map<string, Reservation>()
  /** By span and subject. */
  const overrides = new Map<string, Override>()
  const told = new Set<string>()

  const counterOf = (span: Span, label: string) => {
    const key = `${span}:${label}`
    const counter = spending.get(key) ?? new Map<Subject, NanoDollars>()
    spending.set(key, counter)
    return counter
  }
  const overrideOf = (span: Span, subject: Subject) => overrides.get(`${span} ${subject}`) ?? null
  const limitOf = ({ limit, span, subject }: Counted, now: number) => {
    const override = overrideOf(span, subject)
    return override !== null && override.until * 1000 > now ? override.limit : limit
  }
  const isFirst = (what: string, { span, subject }: Counted, period: Period, limit: NanoDollars) => {
    const key = `${span}:${period.label} ${what} ${subject} ${limit}`
    const first = !told.has(key)
    told.add(key)
    return first
  }
  const countedFor = ({ subjects }: Money, now: number) => {
    const around = rules.around(now)
    return rules.counted.flatMap((counted) => {
      const period = around[counted.span].find(({ ends }) => now < ends * 1000)
      return subjects.includes(counted.subject) && period !== undefined ? [{ counted, period }] : []
    })
  }

  const isReserved = (taskId: string, { attempt }: Money) => reservations.get(taskId)?.attempt === attempt
  const overBudget = (money: Money, now: number): OverBudget | undefined => {
    if (money.price === 0) return undefined
    for (const { counted, period } of countedFor(money, now)) {
      const { span, subject } = counted
      const limit = limitOf(counted, now)
      const used = counterOf(span, period.label).get(subject) ?? zero
      if (limit !== null && used + money.price > limit)
        return { _tag: "over", span, subject, ends: period.ends, limit, used, first: isFirst("refused", counted, period, limit) }
    }
    return undefined
  }
  const reserve = (taskId: string, money: Money, now: number): ReadonlyArray<Warning> => {
    const { attempt, price } = money
    if (price === 0) return []
    const places = countedFor(money, now).map(({ counted, period }) => {
      const counter = counterOf(counted.span, period.label)
      const used = sum([counter.get(counted.subject) ?? zero, price])
      counter.set(counted.subject, used)
      return { counted, counter, period, subject: counted.subject, used }
    })
    reservations.set(taskId, { attempt, price, places })
    return places.flatMap(({ counted, period, subject, used }) => {
      const limit = limitOf(counted, now)
      if (limit === null || used < rules.alert * limit || !isFirst("alert", counted, period, limit)) return []
      return [{ span: counted.span, subject, period: period.label, limit, used }]
    })
  }
  /** `only`: where the reservation is this generation's; `cost` undefined: what was reserved. */
  const settle = (taskId: string, only: string | undefined, cost: NanoDollars | undefined) => {
    const reservation = reservations.get(taskId)
    if (reservation === undefined || (only !== undefined && reservation.attempt !== only)) return
    reservations.delete(taskId)
    if (cost === undefined) return
    for (const { counter, subject } of reservation.places)
      counter.set(subject, NanoDollars.make((counter.get(subject) ?? zero) + cost - reservation.price))
  }
  return { spending, reservations, overrides, overrideOf, isReserved, overBudget, reserve, settle }
}
export type MemoryBudget = ReturnType<typeof make>

/** How a person sees and changes it. */
export const budgetOf = (rules: Rules, { overrideOf, overrides, reservations, spending }: MemoryBudget) =>
  Budget.of({
    status: Effect.map(Clock.currentTimeMillis, (now) =>
      statusOf(rules, now, {
        usedOf: (span, subject) => spending.get(`${span}:${rules.around(now)[span][1]!.label}`)?.get(subject) ?? zero,
        overrideOf,
        prices: [...reservations.values()].map(({ price }) => price)
      })
    ),
    override: ({ limit, span, subject }, until) => Effect.sync(() => void overrides.set(`${span} ${subject}`, { limit, until })),
    restore: (span, subject) => Effect.sync(() => void overrides.delete(`${span} ${subject}`))
  })
