/**
 * What a failover may cost: a request is made again that Redis had forgotten. At most once for each time that Redis forgot
 * it, and only by a process that had not seen it itself: no entry, no message and not its own memory told it of the request.
 */
import type { LedgerRow } from "../../src/layers/fal/Execution.ts"
import type { Sent } from "./Clients.ts"
import type { Records } from "./Records.ts"

/**
 * Whether `again` was paid because Redis had forgotten what it knew of `before`. Of two messages of one task neither tells the
 * other.
 */
export const isForgotten = (
  { copies = 1, id, kind, reuses: taskId = id }: Sent,
  before: LedgerRow,
  again: LedgerRow,
  records: Records
): boolean => {
  const buyer = records.buyers.get(again.requestId)
  if (buyer === undefined || (copies === 1 && buyer.knew.has(before.requestId))) return false
  // Its batch was planned once more, for a library that is fuller: another task under the same id.
  if (kind === "child" && records.unsent.has(taskId)) return true
  const intents = records.intents.get(taskId) ?? []
  const intended = intents.findLast(({ at, by }) => by === buyer.by && at <= again.acceptedAt)?.at ?? again.acceptedAt
  const spans = records.attached.get(before.requestId) ?? []
  // What the journal learns in the instant of an intent it learns after it: it takes no intent for a request that it has.
  if (spans.length > 0) return spans.every(({ from, until }) => until <= intended || from >= intended)
  const first = records.buyers.get(before.requestId)?.by
  const intent = intents.findLast(({ at, by }) => (first === undefined || by === first) && at <= before.acceptedAt)
  return intent !== undefined && intent.forgottenAt <= intended
}
