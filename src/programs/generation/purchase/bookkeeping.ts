import { Effect } from "effect"
import { type Debt, Journal } from "../../../services/Journal.ts"
import { Ledger } from "../../../services/Ledger.ts"
import { nothingKnown } from "../../task/Task.ts"
import { accounted, displaced } from "./account.ts"
import { watchUntilEnded } from "./collect.ts"
import * as Entry from "./JournalEntry.ts"

/** A request that has not ended within this is looked at again when its debt comes up next. */
const PATIENCE = "20 seconds"

const payerOf = ({ caller, digest, generation, rootId, taskId: id, timeLimit }: Debt): Entry.Payer => ({
  id,
  rootId,
  timeLimit,
  caller: () => caller,
  digest: () => digest,
  knowledge: { ...nothingKnown(), id, generation: generation ?? undefined }
})

/** Whether the ledger knows now of the request that is owed for. Nothing is cancelled: its task may have come again. */
const settle = Effect.fnUntraced(function* (debt: Debt) {
  if (debt.rows !== null) return yield* Effect.as((yield* Ledger).record(debt.rows), true)
  const payer = payerOf(debt)
  const known = yield* Entry.find(payer)
  if (known?._tag === "Unreadable") return false
  if (known !== undefined && debt.generation !== null) yield* displaced(payer, debt.generation, known)
  if (known?._tag === "Submitted") yield* Effect.timeoutOption(watchUntilEnded(payer, known, "wasted"), PATIENCE)
  return yield* accounted(payer)
})

/** Settles debts that nobody has settled in time, for example because a worker has died. */
export const settleDebts = Effect.gen(function* () {
  const journal = yield* Journal
  for (const { debt, name } of yield* journal.owed) {
    const isSettled = yield* settle(debt).pipe(
      Effect.tapError((error) =>
        Effect.logWarning("the ledger still lacks a row", { taskId: debt.taskId, error: error.message })
      ),
      Effect.orElseSucceed(() => false)
    )
    if (isSettled) yield* journal.settled(name)
  }
})
