/**
 * What a failover may cost: a request is made again that Redis had forgotten. At most once for each time that Redis forgot
 * it, and only by a process that had not seen it itself: no entry, no message and not its own memory told it of the request.
 */
import type { LedgerRow } from "../../src/layers/fal/Execution.ts"
import type { Records } from "./Records.ts"

/** Whether `again` was paid because Redis had forgotten what it knew of `before`. */
export const isForgotten = (taskId: string, before: LedgerRow, again: LedgerRow, records: Records): boolean => {
  const buyer = records.buyers.get(again.requestId)
  if (buyer === undefined || buyer.knew.has(before.requestId)) return false
  const intents = records.intents.get(taskId) ?? []
  const intended = intents.findLast(({ at }) => at <= again.acceptedAt)?.at ?? again.acceptedAt
  const spans = records.attached.get(before.requestId) ?? []
  if (spans.length > 0) return spans.every(({ from, until }) => until <= intended || from > intended)
  const intent = intents.findLast(({ at }) => at <= before.acceptedAt)
  return intent !== undefined && intent.forgottenAt <= intended
}
