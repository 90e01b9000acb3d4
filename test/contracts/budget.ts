import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import type { Budget, Subject } from "../../src/services/Budget.ts"
import type { Generation, Intended, Journal } from "../../src/services/Journal.ts"
import { type NanoDollars, times, usd } from "../../src/services/NanoDollars.ts"
import { uniqueId } from "../support.ts"
import { generated, intended, submitted } from "./journal.ts"

const { none, some } = Option
export const price = usd("0.025")
export const priced: typeof Intended.Type = { ...intended, price }
const asked: Generation = { ...submitted, price }
const paid = (cost: NanoDollars | undefined): Generation => ({ ...generated, price, ...(cost === undefined ? {} : { cost }) })

export interface Fleet {
  readonly one: Journal["Service"]
  readonly two: Journal["Service"]
  readonly budget: Budget["Service"]
}

/** What every journal promises of the money that it reserves. `fleet` gives those of two workers over one store. */
export const budgetContract = (
  name: string,
  fleet: (env: Readonly<Record<string, string>>) => Effect.Effect<Fleet, never, Scope.Scope>
) => {
  const keeps = <A, E>(env: Readonly<Record<string, string>>, test: (fleet: Fleet) => Effect.Effect<A, E>) =>
    Effect.scoped(Effect.flatMap(fleet(env), test))
  const used = ({ budget }: Fleet, subject: Subject = "all") =>
    Effect.map(budget.status, ({ reservations, reserved, standings }) => {
      const of = standings.filter((standing) => standing.subject === subject).map((standing) => standing.used)
      return { day: of[0], month: of[1], reservations, reserved }
    })
  const said = (answer: unknown) => (typeof answer === "object" ? "over" : answer)

  describe(name, () => {
    it.live("the price of a request is reserved with its intent, and settled by what it has cost", () =>
      keeps({ BUDGET_DAY: "1" }, (fleet) =>
        Effect.gen(function* () {
          const id = uniqueId()
          const { budget, one, two } = fleet
          yield* one.intend(id, priced, none())
          assert.deepStrictEqual(yield* used(fleet), { day: price, month: price, reservations: 1, reserved: price })
          yield* one.advance(id, asked)
          assert.strictEqual((yield* budget.status).reservations, 1)
          const cost = usd("0.01975")
          yield* two.advance(id, paid(cost))
          const settled = { day: cost, month: cost, reservations: 0, reserved: 0 }
          assert.deepStrictEqual<unknown>(yield* used(fleet), settled)
          yield* one.advance(id, paid(cost))
          yield* one.close(id)
          assert.deepStrictEqual<unknown>(yield* used(fleet), settled, "settled once")
        })
      )
    )

    it.live("one of which nobody says what it has cost stays spent at its price", () =>
      keeps({}, (fleet) =>
        Effect.gen(function* () {
          const [one, two] = [uniqueId(), uniqueId()]
          yield* fleet.one.intend(one, priced, none())
          yield* fleet.one.advance(one, paid(undefined))
          yield* fleet.one.intend(two, priced, none())
          yield* fleet.one.close(two)
          assert.deepInclude(yield* used(fleet), { day: times(price, 2), reservations: 0 })
        })
      )
    )

    it.live("one that is sure to have cost nothing gives its price back", () =>
      keeps({}, (fleet) =>
        Effect.gen(function* () {
          const [one, two] = [uniqueId(), uniqueId()]
          yield* fleet.one.intend(one, priced, none())
          yield* fleet.two.withdraw(one, priced, none())
          yield* fleet.one.intend(two, priced, none())
          yield* fleet.one.close(two, usd("0"))
          assert.deepStrictEqual<unknown>(yield* used(fleet), { day: 0, month: 0, reservations: 0, reserved: 0 })
        })
      )
    )

    it.live("of workers that buy at once none buys over the cap", () =>
      keeps({ BUDGET_DAY: "0.26" }, (fleet) =>
        Effect.gen(function* () {
          const answers = yield* Effect.forEach(
            Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? fleet.one : fleet.two)),
            (journal, at) => journal.intend(uniqueId(), { ...priced, attempt: at }, none()),
            { concurrency: "unbounded" }
          )
          assert.lengthOf(
            answers.filter((answer) => answer === "written"),
            10
          )
          const over = answers.filter((answer) => typeof answer === "object")
          assert.lengthOf(over, 30)
          assert.deepInclude(over[0], { _tag: "over", span: "day", subject: "all", limit: usd("0.26"), used: times(price, 10) })
          assert.isAbove(over[0]!.ends, Date.now() / 1000)
          assert.lengthOf(
            over.filter(({ first }) => first),
            1,
            "a person is told once"
          )
          assert.deepInclude(yield* used(fleet), { day: times(price, 10), reservations: 10 })
        })
      )
    )

    it.live("a request that was lost stays spent, and the one that repeats it is reserved too", () =>
      keeps({ BUDGET_MONTH: "0.06" }, (fleet) =>
        Effect.gen(function* () {
          const id = uniqueId()
          const again = { ...priced, attempt: 0.5, resubmits: 1 }
          yield* fleet.one.intend(id, priced, none())
          assert.strictEqual(yield* fleet.two.intend(id, again, some(priced)), "written")
          assert.strictEqual(yield* fleet.two.intend(id, again, some(priced)), "written", "its answer was lost")
          assert.deepInclude(yield* used(fleet), { month: times(price, 2), reservations: 1 })
          assert.strictEqual(said(yield* fleet.one.intend(id, { ...again, attempt: 0.75, resubmits: 2 }, some(again))), "over")
          yield* fleet.two.withdraw(id, again, some(priced))
          assert.deepInclude(yield* used(fleet), { month: price, reservations: 0 })
        })
      )
    )

    it.live("what the store has forgotten is counted again by who knows it", () =>
      keeps({ BUDGET_DAY: "0.01" }, (fleet) =>
        Effect.gen(function* () {
          const [one, two] = [uniqueId(), uniqueId()]
          yield* fleet.one.advance(one, asked)
          assert.deepInclude(yield* used(fleet), { day: price, reservations: 1 }, "over its cap, but it is paid")
          yield* fleet.one.advance(two, paid(usd("0.02")))
          assert.deepInclude(yield* used(fleet), { day: usd("0.045"), reservations: 1 })
        })
      )
    )

    it.live("a cap of one model holds up no other", () =>
      keeps({ BUDGET_CAPS: "model:fal-ai/flux/dev=0.03/day" }, (fleet) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* fleet.one.intend(uniqueId(), priced, none()), "written")
          const refused = yield* fleet.one.intend(uniqueId(), priced, none())
          assert.deepInclude(refused, { span: "day", subject: "model:fal-ai/flux/dev" })
          assert.strictEqual(yield* fleet.one.intend(uniqueId(), { ...priced, endpoint: "fal-ai/other" }, none()), "written")
          assert.strictEqual((yield* used(fleet, "model:fal-ai/flux/dev")).day, price)
        })
      )
    )

    it.live("nor a cap of one caller the tasks of others", () =>
      keeps({ BUDGET_CAPS: "caller:shop=0.03/month" }, (fleet) =>
        Effect.gen(function* () {
          const ofShop = { ...priced, caller: "shop" }
          assert.strictEqual(yield* fleet.one.intend(uniqueId(), ofShop, none()), "written")
          assert.strictEqual(said(yield* fleet.one.intend(uniqueId(), ofShop, none())), "over")
          assert.strictEqual(yield* fleet.one.intend(uniqueId(), { ...priced, caller: "cron" }, none()), "written")
          assert.strictEqual(yield* fleet.one.intend(uniqueId(), priced, none()), "written")
        })
      )
    )

    it.live("a cap that is raised while workers run holds until its time is over", () =>
      keeps({ BUDGET_DAY: "0.03" }, (fleet) =>
        Effect.gen(function* () {
          const { budget, one } = fleet
          const buy = Effect.suspend(() => Effect.map(one.intend(uniqueId(), priced, none()), said))
          assert.deepStrictEqual([yield* buy, yield* buy], ["written", "over"])
          const hour = Math.floor(Date.now() / 1000) + 3600
          yield* budget.override({ span: "day", subject: "all", limit: usd("0.05") }, hour)
          assert.deepStrictEqual([yield* buy, yield* buy], ["written", "over"])
          const [day] = (yield* budget.status).standings
          assert.deepStrictEqual([day?.cap, day?.override], [usd("0.03"), { limit: usd("0.05"), until: hour }])
          yield* budget.override({ span: "day", subject: "all", limit: usd("9") }, hour - 7200)
          assert.strictEqual(yield* buy, "over", "its time is over")
          yield* budget.override({ span: "day", subject: "all", limit: usd("9") }, hour)
          yield* budget.restore("day", "all")
          assert.strictEqual(yield* buy, "over")
        })
      )
    )

    it.live("and one may be set where the settings have none", () =>
      keeps({}, (fleet) =>
        Effect.gen(function* () {
          yield* fleet.budget.override({ span: "month", subject: "all", limit: usd("0.01") }, Date.now() / 1000 + 3600)
          assert.deepInclude(yield* fleet.one.intend(uniqueId(), priced, none()), { _tag: "over", span: "month" })
        })
      )
    )

    it.live("a request without a price is not counted", () =>
      keeps({ BUDGET_DAY: "0" }, (fleet) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* fleet.one.intend(uniqueId(), intended, none()), "written")
          assert.deepStrictEqual<unknown>(yield* used(fleet), { day: 0, month: 0, reservations: 0, reserved: 0 })
        })
      )
    )

    it.live("a refused task does not stand in the line for room at the provider", () =>
      keeps({ BUDGET_DAY: "0.03", FAL_MAX_CONCURRENT: "2" }, (fleet) =>
        Effect.gen(function* () {
          const first = uniqueId()
          yield* fleet.one.intend(first, priced, none())
          assert.strictEqual(said(yield* fleet.one.intend(uniqueId(), priced, none())), "over")
          assert.strictEqual(yield* fleet.two.intend(uniqueId(), intended, none()), "written")
        })
      )
    )
  })
}
