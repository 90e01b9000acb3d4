import { Clock, Effect, Layer, Option, Schema } from "effect"
import * as Service from "../../services/Budget.ts"
import { NanoDollars } from "../../services/NanoDollars.ts"
import { rules as rulesOf, statusOf } from "../journal/money.ts"
import * as kombu from "../../wire/kombu.ts"
import * as Connections from "./Connections.ts"
import { broker } from "./where.ts"
import { attempting } from "../attempting.ts"

const Amount = Schema.FiniteFromString.pipe(Schema.decodeTo(NanoDollars))
const amountOf = Schema.decodeUnknownOption(Amount)
const Reservation = Schema.fromJsonString(Schema.Struct({ price: Amount }))
const priceOf = Schema.decodeUnknownOption(Reservation)

const overrideOf = (text: string | undefined): Service.Override | null => {
  const [, limit, until] = /^(\d+) (\d+)$/.exec(text ?? "") ?? []
  return Option.getOrNull(Option.map(amountOf(limit), (amount) => ({ limit: amount, until: Number(until) })))
}

const attempt = attempting(Service.BudgetError)
const fieldOf = (span: Service.Span, subject: Service.Subject) => `${span} ${subject}`

/** The fleet's budget in the broker's Redis, where the journal's scripts reserve and settle. */
export const layer = Layer.effect(
  Service.Budget,
  Effect.gen(function* () {
    const rules = yield* rulesOf
    const { commands } = yield* Connections.Connections
    const redis = yield* commands(yield* broker)
    const look = (now: number) =>
      attempt("status", async () => {
        const overrides = await redis.hgetall(kombu.budgetOverrides)
        const prices = await redis.hvals(kombu.budgetReserved)
        const around = rules.around(now)
        const keys = Service.spans.map((span) => kombu.budget(`${span}:${around[span][1]!.label}`))
        const [day = {}, month = {}] = await Promise.all(keys.map((key) => redis.hgetall(key)))
        return { overrides, prices, used: { day, month } }
      })
    return Service.Budget.of({
      status: Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const { overrides, prices, used } = yield* look(now)
        return statusOf(rules, now, {
          usedOf: (span, subject) => Option.getOrElse(amountOf(used[span][subject]), () => NanoDollars.make(0)),
          overrideOf: (span, subject) => overrideOf(overrides[fieldOf(span, subject)]),
          prices: prices.flatMap((text) => Option.toArray(Option.map(priceOf(text), ({ price }) => price)))
        })
      }),
      override: ({ limit, span, subject }, until) =>
        Effect.asVoid(
          attempt("override", () => redis.hset(kombu.budgetOverrides, fieldOf(span, subject), `${limit} ${Math.ceil(until)}`))
        ),
      restore: (span, subject) =>
        Effect.asVoid(attempt("restore", () => redis.hdel(kombu.budgetOverrides, fieldOf(span, subject))))
    })
  })
).pipe(Layer.provide(Connections.layer))
