import { Effect } from "effect"
import { settleDebts } from "../generation/purchase/bookkeeping.ts"
import type { Self } from "../runtime/Supervisor.ts"

const EVERY = "30 seconds"

/** Writes into the ledger what is owed to it: rows that the database did not take, and requests whose worker has died. */
export const bookkeeper = (leased: Effect.Effect<void>) => (self: Self) =>
  Effect.gen(function* () {
    yield* leased
    for (;;) {
      yield* self.doing("waiting for its time")
      yield* Effect.sleep(EVERY)
      yield* self.doing("settling what is owed to the ledger")
      // While Redis is away there is nobody to ask, which others say.
      yield* Effect.ignore(settleDebts)
    }
  })
