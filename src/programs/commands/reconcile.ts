import { Clock, Console, Effect, Layer, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { Bills, type Charge, MOST } from "../../services/Bills.ts"
import { type Bill, type Booked, Ledger } from "../../services/Ledger.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"
import { print } from "./client.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { instant, lines, requests } from "./ledger.ts"
import { Failed, inJson, WrongUse } from "./outcome.ts"

/** fal answers no question about more days than this (milliseconds). */
const LONGEST = 90 * 86_400_000

/** How the ledger's own figure of a request and its billing event stand to each other. */
const FINDINGS = ["same", "differs", "not billed", "not in the ledger"] as const
type Finding = (typeof FINDINGS)[number]

export interface Compared {
  readonly finding: Finding
  readonly requestId: string
  readonly taskId: string | null
  readonly model: string
  readonly at: number
  readonly ledger: NanoDollars.NanoDollars | null
  readonly billed: NanoDollars.NanoDollars | null
}

/**
 * Each request that the ledger or the bills have. Of a charge without a cost nothing can be said but that it is there. A row
 * without a request id can be compared with nothing, and is left out.
 */
export const compare = (
  rows: ReadonlyArray<Omit<Booked, "billed">>,
  charges: ReadonlyArray<Charge>,
  since: number,
  until: number
) => {
  const billed = new Map(charges.map((charge) => [charge.requestId, charge]))
  const known = new Set<string>()
  const compared: Array<Compared> = []
  for (const { at, cost, model, requestId, taskId } of rows) {
    if (requestId === null) continue
    known.add(requestId)
    const charge = billed.get(requestId)
    const same = charge !== undefined && (charge.cost === null || charge.cost === cost)
    const finding = charge === undefined ? "not billed" : same ? "same" : "differs"
    compared.push({ finding, requestId, taskId, model, at, ledger: cost, billed: charge?.cost ?? null })
  }
  for (const { at, cost, endpoint, requestId } of charges)
    if (!known.has(requestId) && at >= since && at < until)
      compared.push({ finding: "not in the ledger", requestId, taskId: null, model: endpoint, at, ledger: null, billed: cost })
  return compared
}

/** The charges that belong to a row of the ledger, and say what they cost. */
const billsOf = (rows: ReadonlyArray<Booked>, charges: ReadonlyArray<Charge>): ReadonlyArray<Bill> => {
  const open = new Set(rows.flatMap(({ billed, requestId }) => (billed === null ? (requestId ?? []) : [])))
  return charges.flatMap(({ at, cost, requestId, units }) =>
    cost !== null && open.has(requestId) ? { requestId, units, cost, at } : []
  )
}

/** The costs as fal has billed them, and the ledger's estimate where it has not. */
const totalOf = (compared: ReadonlyArray<Compared>) =>
  NanoDollars.sum(compared.flatMap(({ billed, ledger }) => billed ?? ledger ?? []))

const usd = (amount: NanoDollars.NanoDollars | null) => (amount === null ? null : NanoDollars.toUsd(amount))
const shown = ({ at, billed, finding, ledger, model, requestId, taskId }: Compared) => ({
  finding,
  fal_request_id: requestId,
  task_id: taskId,
  model,
  at: new Date(at).toISOString(),
  ledger_usd: usd(ledger),
  billed_usd: usd(billed)
})
const NAMES = ["finding", "fal_request_id", "task_id", "model", "at", "ledger_usd", "billed_usd"]

const input = {
  since: instant("since", "Only requests that were made then or later (the first of this month)"),
  until: instant("until", "Only requests that were made before (now)"),
  all: Flag.Boolean("all").pipe(Flag.withDescription("List what agrees, too"), Flag.withoutNegation, Flag.withDefault(false)),
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Compare only: keep no bill"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  csv: Flag.Boolean("csv").pipe(Flag.withDescription("Lines of CSV"), Flag.withoutNegation, Flag.withDefault(false)),
  json: flags.json
}

const EXPLAINED: Readonly<Record<Finding, string>> = {
  same: "as the ledger has them",
  differs: "billed at another cost",
  "not billed": "without a billing event: they come late and some never, so this does not say that it was free",
  "not in the ledger": "billed to the account and in no row: made by others, or lost without a trace"
}

/** Compares the ledger with what fal has billed, and keeps the bills beside its rows: estimates become facts. */
export const reconcile = <E, E2>(ledger: Layer.Layer<Ledger, E>, bills: Layer.Layer<Bills, E2>) =>
  Command.make("reconcile", input, ({ all, csv, dryRun, json, ...period }) =>
    Effect.gen(function* () {
      const { between, isReadable } = yield* Bills
      if (!isReadable)
        return yield* new Failed({ message: "FAL_ADMIN_KEY is not set: without it all costs stay estimates at list prices" })
      const now = yield* Clock.currentTimeMillis
      const today = new Date(now)
      const since = period.since ?? Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), 1)
      const until = period.until ?? now
      if (until <= since) return yield* new WrongUse({ message: "--until: is not after --since" })
      if (now - since > LONGEST) return yield* new WrongUse({ message: "--since: fal tells of the last 90 days only" })
      const rows = yield* Stream.runCollect(requests({ since, until }))
      // A request is billed when it ends, which may be after the time asked for.
      const charges = yield* Effect.mapError(
        between(since, now),
        ({ detail }) => new Failed({ message: `fal's billing events cannot be read: ${detail}` })
      )
      if (charges.length >= MOST) return yield* new Failed({ message: `more than ${MOST} events: name a later --since` })
      const compared = compare(rows, charges, since, until)
      const bills = billsOf(rows, charges)
      if (!dryRun) yield* (yield* Ledger).bill(bills)
      const listed = compared.filter(({ finding }) => all || finding !== "same")
      if (csv) return yield* Console.log(lines(NAMES, listed.map(shown)))
      const summary = FINDINGS.map((finding) => ({ finding, of: compared.filter((one) => one.finding === finding) }))
      const lost = rows.filter(({ requestId }) => requestId === null).length
      const estimated = NanoDollars.sum(rows.flatMap(({ cost }) => cost ?? []))
      if (json)
        return yield* print({
          since: new Date(since).toISOString(),
          until: new Date(until).toISOString(),
          counts: Object.fromEntries(summary.map(({ finding, of }) => [finding, of.length])),
          without_request_id: lost,
          new_bills: bills.length,
          dry_run: dryRun,
          ledger_usd: NanoDollars.toUsd(estimated),
          total_usd: NanoDollars.toUsd(totalOf(compared)),
          requests: listed.map(shown)
        })
      const paint = yield* Display.paint
      if (listed.length > 0)
        yield* Console.log(
          `${Display.table(
            paint,
            ["finding", "ledger", "billed", "model", "request", "task"],
            listed.map(({ billed, finding, ledger, model, requestId, taskId }) => [
              finding,
              ledger === null ? "" : NanoDollars.format(ledger),
              billed === null ? "" : NanoDollars.format(billed),
              model,
              requestId,
              taskId ?? ""
            ]),
            yield* Display.width
          )}\n`
        )
      for (const { finding, of } of summary) if (of.length > 0) yield* Console.log(`${of.length} ${EXPLAINED[finding]}`)
      if (lost > 0) yield* Console.log(`${lost} rows name no request, as fal's answer was lost`)
      if (bills.length > 0)
        yield* Console.log(
          dryRun ? `${bills.length} bills would be kept beside the ledger` : `${bills.length} bills are kept beside the ledger`
        )
      yield* Console.log(
        `${NanoDollars.dollars(estimated)} in the ledger, ${NanoDollars.dollars(totalOf(compared))} with what fal has billed in place of estimates`
      )
    }).pipe(inJson(json, print))
  ).pipe(
    Command.provide(Layer.merge(ledger, bills)),
    Command.withDescription(
      "Compare the ledger with fal's billing events, which take the place of its estimates (needs FAL_ADMIN_KEY)"
    ),
    Command.withExamples([
      { command: "model-generator reconcile", description: "This month: what differs, what is not billed, what nobody claims" },
      { command: "model-generator reconcile --since 2026-11-01 --csv --all", description: "Each request, for a spreadsheet" }
    ])
  )
