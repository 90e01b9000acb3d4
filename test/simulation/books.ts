/**
 * Where our ledger differs from fal's: each request that fal accepted and bills has one row, each whose answer was lost has one
 * that says so, and there is no other. What Redis has forgotten, and what a stock worker has ended, nobody can know.
 */
import type { LedgerRow } from "../../src/layers/fal/Execution.ts"
import type { Clients } from "./Clients.ts"
import type { Cluster } from "./Cluster.ts"

export const wrongInLedger = (cluster: Cluster, clients: Clients, fal: ReadonlyArray<LedgerRow>): ReadonlyArray<string> => {
  const { ledger, records } = cluster
  const wrong: Array<string> = []
  const rows = cluster.run(ledger.list({ since: null, until: null }, null, 10_000))
  const lastOf = (taskId: string) => records.stored.get(taskId)?.at(-1)
  const isUnknown = (taskId: string) =>
    records.astray.has(taskId) ||
    records.unsent.has(taskId) ||
    records.endedByStock.has(taskId) ||
    records.intents.get(taskId)?.some(({ forgottenAt }) => forgottenAt !== Infinity) === true
  const delivered = new Set([
    ...[...records.rows.values()].map(({ falRequestId }) => falRequestId),
    ...[...records.stored.values()]
      .flat()
      .map(({ result }) => (result as { readonly fal_request_id?: string } | null)?.fal_request_id) // our own tasks' form
  ])

  // By what was intended: a row for each that may have been paid, and none for what has cost nothing for certain.
  for (const [taskId, intents] of records.intents) {
    // Refused at the door, and its worker died before it could take the intent back.
    const isRefused = JSON.stringify(lastOf(taskId)?.result ?? null).includes("ContentRefused")
    for (const { attempt, isHeld, requestId, withdrawn } of intents) {
      const about = `${taskId}, request ${requestId ?? "without an id"}`
      const found = rows.filter((row) => row.taskId === taskId && row.attempt === String(attempt))
      if (found.length > 1) wrong.push(`ledger: ${found.length} rows of ${about}`)
      if (isUnknown(taskId)) continue
      const isPaid = fal.some((one) => one.requestId === requestId && one.units > 0)
      const [row] = found
      // Where fal's bills can be read, they show which lost request was never taken: that one has cost nothing.
      const mayBePaid = requestId === undefined ? isHeld && !withdrawn && !isRefused && !cluster.hasBills : isPaid
      if (row === undefined && mayBePaid) wrong.push(`ledger: no row of ${about}`)
      if (row !== undefined && row.outcome !== "uncertain" && !isPaid && requestId !== undefined)
        wrong.push(`ledger: a row of ${about}, which cost nothing`)
    }
  }

  // By fal's own: what it bills is there by its id, or as one whose answer was lost.
  for (const { id, reuses: taskId = id, seed } of clients.sent) {
    if (seed === undefined || isUnknown(taskId)) continue
    const own = rows.filter((row) => row.taskId === taskId)
    const unnamed = fal.filter(
      (one) => one.input["seed"] === seed && one.units > 0 && !own.some(({ requestId }) => requestId === one.requestId)
    )
    const lost = own.filter(({ requestId }) => requestId === null)
    if (unnamed.length > lost.length)
      wrong.push(`ledger: fal bills ${unnamed.length} more of ${taskId}, which has ${lost.length} lost`)
  }

  // No other, and each says what is true.
  for (const { attempt, outcome, requestId, taskId } of rows) {
    const about = `${taskId}, request ${requestId ?? "without an id"} (${outcome})`
    if (records.intents.get(taskId)?.some((intent) => String(intent.attempt) === attempt) !== true)
      wrong.push(`ledger: nobody intended ${about}`)
    if (requestId !== null && rows.filter((row) => row.requestId === requestId).length > 1) wrong.push(`ledger: twice ${about}`)
    const atFal = fal.find((row) => row.requestId === requestId)?.outcome
    if ((outcome === "flagged") !== (atFal === "flagged") && outcome !== "uncertain")
      wrong.push(`ledger: untrue of ${about}, ${atFal}`)
    // A task may be revoked after its picture was accounted for and before its result was told.
    if (outcome === "used" && !delivered.has(requestId ?? "") && lastOf(taskId)?.status !== "REVOKED" && !isUnknown(taskId))
      wrong.push(`ledger: untrue of ${about}, which nobody got`)
  }
  return wrong
}
