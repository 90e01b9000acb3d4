import { Effect, Option } from "effect"
import { Catalogue, costOf } from "../../../services/Catalogue.ts"
import { attemptOf, type Debt, type Generation, isSameRequest, Journal, type PaidEnd } from "../../../services/Journal.ts"
import { Ledger, type Row } from "../../../services/Ledger.ts"
import * as Entry from "./JournalEntry.ts"

/**
 * The ledger has one row for each request that may have been paid. That of a saved picture is written with the picture's row.
 * Any other is written before its task's end is told, so a worker that dies between repeats it. Where the database does not take
 * it, or nobody knows yet how the request ends, the journal keeps a debt, which whoever comes first settles.
 */

/** The rows of a request, and of the lost ones that it repeats. `end` undefined: it cost nothing. */
const rowsOf = Effect.fnUntraced(function* (payer: Entry.Payer, generation: Generation, end: PaidEnd | undefined) {
  const { endpoint: model, input, lost = [] } = generation
  const price = Option.getOrUndefined((yield* Catalogue).priceOf(model))
  const row = (request: { readonly attempt: number; readonly at: number; readonly requestId?: string }, end: PaidEnd): Row => {
    const cost = price === undefined ? undefined : costOf(price, input, end.units)
    return {
      taskId: payer.id,
      attempt: String(request.attempt),
      rootId: payer.rootId,
      caller: generation.caller ?? payer.caller(),
      model,
      requestId: request.requestId ?? null,
      units: end.units,
      price: price?.each ?? null,
      cost: cost?.amount ?? null,
      source: cost?.source ?? null,
      outcome: end.outcome,
      at: request.at
    }
  }
  const uncertain = lost.map((request) => row(request, { outcome: "uncertain", units: null }))
  if (end === undefined) return uncertain
  const id = "requestId" in generation ? { requestId: generation.requestId } : {}
  return [...uncertain, row({ attempt: attemptOf(generation), at: generation.at, ...id }, end)]
})

/** The rows of a picture that is delivered. */
export const rowsOfPicture = (payer: Entry.Payer, generated: Entry.Generated) =>
  rowsOf(payer, generated, { outcome: "used", units: generated.picture.billableUnits })

const debtOf = (payer: Entry.Payer, of: Pick<Debt, "generation" | "rows">): Debt => ({
  ...of,
  taskId: payer.id,
  rootId: payer.rootId,
  caller: payer.caller(),
  digest: payer.digest(),
  timeLimit: payer.timeLimit
})

/** Writes into the ledger how a request has ended, or leaves that as a debt. `end` undefined: it cost nothing. */
export const account = Effect.fn("generation.account")(function* (
  payer: Entry.Payer,
  generation: Generation,
  end: PaidEnd | undefined
) {
  const ledger = yield* Ledger
  const rows = yield* rowsOf(payer, generation, end)
  const written = yield* Effect.result(rows.length === 0 ? Effect.void : ledger.record(rows))
  if (written._tag === "Failure") {
    const { message } = written.failure
    yield* Effect.logWarning("the ledger takes no row now: it is written later", { taskId: payer.id, error: message })
    yield* Entry.owe(debtOf(payer, { generation: null, rows }))
  }
  payer.knowledge.accounted = attemptOf(generation)
})

/** Another request of the same task counts now, and what became of this one nobody will find out. */
export const displaced = (payer: Entry.Payer, generation: Generation, by: Generation) =>
  "requestId" in generation && !isSameRequest(generation, by)
    ? account(payer, generation, { outcome: "uncertain", units: null })
    : Effect.void

/** How a request has ended for which nobody does anything any more; undefined while it may still run. */
const endOf = (known: Generation): PaidEnd | undefined => {
  switch (known._tag) {
    case "Intended":
      return { outcome: known.accepted === true ? "wasted" : "uncertain", units: null }
    case "Submitted":
      return known.unknownSince === undefined ? undefined : { outcome: "uncertain", units: null }
    case "Generated":
      return { outcome: known.picture.flagged ? "flagged" : "wasted", units: known.picture.billableUnits }
  }
}

/** After a failure to write a request down: another was made for the same task meanwhile, and nobody waits for this one. */
export const givenUp = (payer: Entry.Payer, generation: Generation) => (failure: { readonly reason: string }) =>
  failure.reason === "contended"
    ? account(payer, generation, endOf(generation) ?? { outcome: "wasted", units: null })
    : Effect.void

const unaccounted = ({ knowledge: { accounted, generation } }: Entry.Payer) =>
  generation === null || generation === undefined || accounted === attemptOf(generation) ? undefined : generation

/** Accounts for the request of a task that is not run again, if no step before has. `false` where its end is not known yet. */
export const accounted = Effect.fnUntraced(function* (payer: Entry.Payer) {
  const generation = unaccounted(payer)
  if (generation === undefined) return true
  const end = endOf(generation)
  if (end === undefined) return false
  yield* account(payer, generation, end)
  return true
})

/** Leaves a debt for the request of a task whose end is about to be told, unless the ledger knows of it. */
export const owe = Effect.fn("generation.owe")(function* (payer: Entry.Payer, mayGoOn: boolean) {
  const generation = unaccounted(payer)
  if (generation === undefined && !mayGoOn) return
  const journal = yield* Journal
  payer.knowledge.debt = yield* journal.owe(debtOf(payer, { generation: generation ?? null, rows: null }))
})

/** The debt that `owe` has left is no more. One that stays is found again, and changes nothing. */
export const settled = Effect.fnUntraced(function* ({ knowledge }: Entry.Payer) {
  if (knowledge.debt === undefined) return
  yield* Entry.behind((yield* Journal).settled(knowledge.debt))
})
