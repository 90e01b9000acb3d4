import { Clock, Console, DateTime, Effect, Option, Schema, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { type Booked, costOf, GROUPINGS, Ledger, type Period, sourceOf } from "../../services/Ledger.ts"
import type { LibraryError } from "../../services/LibraryError.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"
import { print } from "./client.ts"
import { csvLine } from "./csv.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import * as Forecast from "./forecast.ts"
import { inJson } from "./outcome.ts"

export const instant = (name: string, description: string) =>
  flags.optional(
    Flag.String(name).pipe(
      Flag.withMetavar("2026-11-01"),
      Flag.withDescription(`${description}: a day, or a time with its offset as 2026-11-01T06:00:00Z. Days begin in UTC`),
      Flag.withSchema(
        Schema.String.check(
          Schema.makeFilter(
            (text) =>
              (/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) &&
                Option.isSome(DateTime.make(text))) ||
              "expected a day as 2026-11-01, or a time with its offset as 2026-11-01T06:00:00Z"
          )
        )
      ),
      Flag.map((text) => DateTime.toEpochMillis(DateTime.makeUnsafe(text)))
    )
  )

const input = {
  by: Flag.Literals("by", [...GROUPINGS, "request"]).pipe(
    Flag.withDescription("What the rows are added up by; request: each for itself (day)"),
    Flag.withDefault("day" as const)
  ),
  since: instant("since", "Only what was paid then or later (the first of this month)"),
  until: instant("until", "Only what was paid before"),
  csv: Flag.Boolean("csv").pipe(Flag.withDescription("Lines of CSV"), Flag.withoutNegation, Flag.withDefault(false)),
  json: flags.json
}

const PAGE = 500
export const requests = (period: Period): Stream.Stream<Booked, LibraryError, Ledger> =>
  Stream.paginate<Booked | null, Booked, LibraryError, Ledger>(null, (after) =>
    Effect.gen(function* () {
      const ledger = yield* Ledger
      const rows = yield* ledger.list(period, after, PAGE)
      const last = rows.at(-1)
      return [rows, rows.length < PAGE || last === undefined ? Option.none() : Option.some(last)]
    })
  )

const usdOrNull = (amount: NanoDollars.NanoDollars | null) => (amount === null ? null : NanoDollars.toUsd(amount))
const shownRow = (row: Booked) => ({
  at: new Date(row.at).toISOString(),
  task_id: row.taskId,
  attempt: row.attempt,
  root_id: row.rootId,
  caller: row.caller,
  model: row.model,
  fal_request_id: row.requestId,
  outcome: row.outcome,
  units: row.units,
  price_usd: usdOrNull(row.price),
  cost_usd: usdOrNull(costOf(row)),
  cost_source: sourceOf(row)
})

/** The records as lines of CSV; nothing but the names where there are none. */
export const lines = (names: ReadonlyArray<string>, records: ReadonlyArray<object>) =>
  [csvLine(names), ...records.map((one) => csvLine(Object.values(one)))].join("\n")

const REQUEST = [
  "at",
  "task_id",
  "attempt",
  "root_id",
  "caller",
  "model",
  "fal_request_id",
  "outcome",
  "units",
  "price_usd",
  "cost_usd",
  "cost_source"
]

const listed = Effect.fnUntraced(function* (period: Period, { csv, json }: { readonly csv: boolean; readonly json: boolean }) {
  const rows = (yield* Stream.runCollect(requests(period))).map(shownRow)
  if (json) return yield* print({ by: "request", requests: rows })
  if (csv) return yield* Console.log(lines(REQUEST, rows))
  const paint = yield* Display.paint
  yield* Console.log(
    Display.table(
      paint,
      ["at", "caller", "model", "outcome", "usd", "task"],
      rows.map((row) => [row.at.slice(0, 19), row.caller, row.model, row.outcome, String(row.cost_usd ?? "?"), row.task_id]),
      yield* Display.width
    )
  )
})

/** What was paid, from the ledger. */
export const ledger = Command.make("ledger", input, (input) =>
  Effect.gen(function* () {
    const now = new Date(yield* Clock.currentTimeMillis)
    const thisMonth = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)
    const since = input.since ?? (input.by === "month" ? null : input.until === null ? thisMonth : null)
    const period = { since, until: input.until }
    if (input.by === "request") return yield* listed(period, input)
    const totals = yield* (yield* Ledger).totals(input.by, period)
    const groups = totals.map(({ cost, estimated, key, requests, unpriced }) => ({
      [input.by]: key,
      requests,
      cost_usd: NanoDollars.toUsd(cost),
      estimated_usd: NanoDollars.toUsd(estimated),
      unpriced
    }))
    if (input.csv) return yield* Console.log(lines([input.by, "requests", "cost_usd", "estimated_usd", "unpriced"], groups))
    const total = NanoDollars.sum(totals.map(({ cost }) => cost))
    const forecast = yield* Forecast.forecast
    if (input.json)
      return yield* print({
        by: input.by,
        since: since === null ? null : new Date(since).toISOString(),
        until: input.until === null ? null : new Date(input.until).toISOString(),
        groups,
        total_usd: NanoDollars.toUsd(total),
        forecast: Forecast.inJson(forecast)
      })
    const paint = yield* Display.paint
    yield* Console.log(
      Display.table(
        paint,
        [input.by, "requests", "usd", "of it estimated", "without a price"],
        totals.map(({ cost, estimated, key, requests, unpriced }) => [
          key,
          String(requests),
          NanoDollars.format(cost),
          NanoDollars.format(estimated),
          String(unpriced)
        ]),
        yield* Display.width
      )
    )
    yield* Console.log(
      `\n${NanoDollars.dollars(total)} in all: as billed where \`reconcile\` has seen the bill, else at fal's list prices\n${Forecast.describe(forecast)}`
    )
  }).pipe(inJson(input.json, print))
).pipe(
  Command.withDescription("What was paid: by day, month, caller, model or outcome, and what this month will come to"),
  Command.withExamples([
    { command: "model-generator ledger", description: "This month, day by day" },
    {
      command: "model-generator ledger --by caller --since 2026-11-01 --until 2026-12-01",
      description: "Who spent what in November"
    },
    { command: "model-generator ledger --by request --csv", description: "Each paid request of this month, for a spreadsheet" }
  ])
)
