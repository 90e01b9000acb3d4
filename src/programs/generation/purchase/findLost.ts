import { Effect } from "effect"
import { Bills, type BillsError, type Charge } from "../../../services/Bills.ts"
import { seedOf } from "../../../services/Journal.ts"
import { Ledger } from "../../../services/Ledger.ts"
import * as Entry from "./JournalEntry.ts"

/** The provider's clock may differ from ours by so much (milliseconds). */
const SKEW = 30_000
/** Within this an accepted request is charged for, and its charge can be read (milliseconds). */
const WINDOW = 60_000
/** After this the bills are taken for whole even if they have nothing of a later time: nobody may have made a request since. */
const QUIET = 300_000
/** No more charges are compared: each costs a request, the first time. */
const MOST_COMPARED = 500

/**
 * What the provider's bills say of a request whose answer was lost. `Found`: it was accepted, under this id. `None`: the bills of
 * that time are whole, and it is not among them. `NotYet`: they may still be late. `Untold`: they cannot be read, or hold too much that is nobody's.
 */
export type Trace =
  | { readonly _tag: "Found"; readonly requestId: string }
  | { readonly _tag: "None" }
  | { readonly _tag: "NotYet" }
  | { readonly _tag: "Untold" }

/** Without the ledger more charges are compared than need be. */
const unclaimed = Effect.fnUntraced(function* (charges: ReadonlyArray<Charge>) {
  const ledger = yield* Ledger
  const claimed = yield* Effect.orElseSucceed(ledger.claimed(charges.map(({ requestId }) => requestId)), () => new Set())
  return charges.filter(({ requestId }) => !claimed.has(requestId))
})

/**
 * Looks for a request in the provider's bills: of its endpoint, of its time, of no request that the ledger knows, and with its seed
 * and prompt, which the result of each candidate tells.
 */
export const findLost = Effect.fn("generation.findLost")(function* (
  payer: Entry.Payer,
  lost: Entry.Intended
): Effect.fn.Return<Trace, never, Bills | Ledger> {
  const bills = yield* Bills
  const seed = seedOf(lost)
  if (!bills.isReadable || seed === undefined) return { _tag: "Untold" }
  const now = yield* Entry.now(payer)
  const search = Effect.gen(function* (): Effect.fn.Return<Trace, BillsError, Ledger> {
    const charges = yield* bills.between(lost.at - SKEW, now + SKEW)
    const { prompt } = lost.input
    const isIt = ({ endpoint, requestId }: Charge) =>
      Effect.map(
        bills.made(endpoint, requestId),
        (made) => made.seed === seed && (typeof prompt !== "string" || made.prompt === prompt)
      )
    const candidates = yield* unclaimed(charges.filter(({ endpoint }) => endpoint === lost.endpoint))
    for (const candidate of candidates.slice(0, MOST_COMPARED))
      if (yield* isIt(candidate)) return { _tag: "Found", requestId: candidate.requestId }
    const isOld = now >= lost.at + QUIET
    if (candidates.length > MOST_COMPARED) return { _tag: isOld ? "Untold" : "NotYet" }
    const isWhole = charges.some(({ at }) => at >= lost.at + WINDOW) || isOld
    return { _tag: isWhole ? "None" : "NotYet" }
  })
  return yield* Effect.catchTag(search, "BillsError", ({ detail }) =>
    Effect.as(
      Effect.logWarning("fal's bills cannot be read, so a lost request cannot be found in them", { taskId: payer.id, detail }),
      { _tag: "Untold" as const }
    )
  )
})
