import { Clock, Console, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Budget, type BudgetError, leftOf, type Span, spans, type Standing, type Subject } from "../../services/Budget.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"
import { explain } from "../explain.ts"
import { print } from "./client.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { Failed, inJson, WrongUse } from "./outcome.ts"

const away = (error: BudgetError) =>
  new Failed({ message: `the budget cannot be asked: is Redis up, and is CELERY_BROKER_URL right? (${explain(error.cause)})` })
const status = Effect.flatMap(Budget, (budget) => Effect.mapError(budget.status, away))

const dollars = (amount: NanoDollars.NanoDollars | null) => (amount === null ? "" : NanoDollars.dollars(amount))
const usd = (amount: NanoDollars.NanoDollars | null) => (amount === null ? null : NanoDollars.toUsd(amount))
const iso = (seconds: number) => new Date(seconds * 1000).toISOString()

const documentOf = (standing: Standing) => {
  const { cap, ends, limit, override, period, span, subject, used } = standing
  return {
    span,
    subject,
    period,
    ends: iso(ends),
    used_usd: usd(used),
    limit_usd: usd(limit),
    left_usd: usd(leftOf(standing)),
    cap_usd: usd(cap),
    override: override === null ? null : { limit_usd: usd(override.limit), until: iso(override.until) }
  }
}

const show = Command.make("show", { json: flags.json }, ({ json }) =>
  Effect.gen(function* () {
    const { reservations, reserved, standings } = yield* status
    if (json)
      return yield* print({
        budgets: standings.map(documentOf),
        reservations,
        reserved_usd: NanoDollars.toUsd(reserved)
      })
    const paint = yield* Display.paint
    const rows = standings.map((standing) => {
      const { ends, limit, override, period, span, subject, used } = standing
      const spare = leftOf(standing)
      return [
        span,
        subject,
        period,
        dollars(used),
        limit === null ? "no cap" : dollars(limit),
        spare === 0 ? paint.red("$0.00") : dollars(spare),
        Display.minute(ends),
        override === null ? "" : `set by hand until ${Display.minute(override.until)}`
      ]
    })
    yield* Console.log(
      Display.table(paint, ["span", "of", "period", "used", "limit", "left", "ends", ""], rows, yield* Display.width)
    )
    yield* Console.log(
      `\n${dollars(reserved)} of it reserved for ${reservations} ${reservations === 1 ? "request" : "requests"} whose outcome is not known yet`
    )
  }).pipe(inJson(json, print))
).pipe(Command.withDescription("What is spent, reserved and left of each budget, by list prices"))

const span = Argument.Literals("span", spans).pipe(Argument.withDescription("day or month"))
const subject = {
  caller: flags.optional(Flag.String("caller").pipe(Flag.withDescription("The cap of this caller (one of BUDGET_CAPS)"))),
  model: flags.optional(Flag.String("model").pipe(Flag.withDescription("The cap of this model (one of BUDGET_CAPS)")))
}

/** The budget that the arguments name, which the workers must count: what they do not count no cap can limit. */
const chosen = Effect.fnUntraced(function* (span: Span, caller: string | null, model: string | null) {
  if (caller !== null && model !== null) return yield* new WrongUse({ message: "--caller and --model are two caps: name one" })
  const subject: Subject = caller !== null ? `caller:${caller}` : model !== null ? `model:${model}` : "all"
  const { standings } = yield* status
  const standing = standings.find((one) => one.span === span && one.subject === subject)
  if (standing !== undefined) return standing
  return yield* new Failed({ message: `there is no cap of ${subject} for a ${span} in BUDGET_CAPS, so workers do not count it` })
})

const MOST_HOURS = 24 * 400
const set = Command.make(
  "set",
  {
    span,
    dollars: Argument.String("dollars").pipe(Argument.withDescription("The limit, in US dollars")),
    ...subject,
    hours: flags.optional(
      Flag.Finite("hours").pipe(
        Flag.withDescription("How long it holds (until the end of this day or month)"),
        Flag.withSchema(Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: MOST_HOURS })))
      )
    ),
    json: flags.json
  },
  ({ caller, dollars: text, hours, json, model, span }) =>
    Effect.gen(function* () {
      const limit = NanoDollars.parse(text)
      if (limit === undefined)
        return yield* new WrongUse({
          message: `dollars: expects a number such as 5 or 0.50, not ${JSON.stringify(text.slice(0, 60))}`
        })
      const { ends, subject } = yield* chosen(span, caller, model)
      const until = hours === null ? ends : Math.ceil((yield* Clock.currentTimeMillis) / 1000 + hours * 3600)
      const budget = yield* Budget
      yield* Effect.mapError(budget.override({ span, subject, limit }, until), away)
      const standing = yield* chosen(span, caller, model)
      if (json) return yield* print(documentOf(standing))
      const spare = leftOf({ limit, used: standing.used })
      yield* Console.log(
        `the limit of ${subject} is ${dollars(limit)} a ${span} until ${Display.minute(until)}: ${dollars(standing.used)} used, ${dollars(spare)} left`
      )
    }).pipe(inJson(json, print))
).pipe(
  Command.withDescription("Set a limit for all running workers, which ends by itself; parked tasks go on within half a minute")
)

const clear = Command.make("clear", { span, ...subject, json: flags.json }, ({ caller, json, model, span }) =>
  Effect.gen(function* () {
    const { cap, subject } = yield* chosen(span, caller, model)
    const budget = yield* Budget
    yield* Effect.mapError(budget.restore(span, subject), away)
    if (json) return yield* print(documentOf(yield* chosen(span, caller, model)))
    yield* Console.log(
      `the limit of ${subject} is ${Option.match(Option.fromNullOr(cap), { onNone: () => "none", onSome: dollars })} a ${span} again`
    )
  }).pipe(inJson(json, print))
).pipe(Command.withDescription("Let the cap of the settings hold again"))

/** The commands for what the fleet may spend. */
export const budget = Command.make("budget").pipe(
  Command.withDescription("What may be spent at fal: see it, raise it, lower it, while workers run"),
  Command.withSubcommands([show, set, clear]),
  Command.withExamples([
    { command: "model-generator budget show", description: "Used, reserved and left, for the day and the month" },
    { command: "model-generator budget set day 50", description: "50 dollars for the rest of this day" },
    { command: "model-generator budget set month 200 --caller shop --hours 24", description: "For one caller, for a day" },
    { command: "model-generator budget clear day", description: "Back to BUDGET_DAY" }
  ])
)
