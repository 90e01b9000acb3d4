import { Effect } from "effect"
import { createHash } from "node:crypto"
import * as Endpoints from "./knownEndpoints.ts"
import { type Asked, detail, json } from "./HttpReply.ts"
import type { Execution } from "./Queue.ts"
import { ledgerRow, type World } from "./World.ts"

const iso = (millis: number | null) => (millis === null ? null : new Date(millis).toISOString())

/** A share of the requests that is always the same ones. */
const isAmong = (requestId: string, share: number) =>
  createHash("sha1").update(requestId).digest().readUInt32BE() < share * 2 ** 32

/** What is charged for, as an administrator reads it: late by so much, without those that never come, a page at a time. */
const billingEvents = (world: World, asked: Asked, executions: ReadonlyArray<Execution>, now: number) => {
  const { billingMissing, billingSeconds } = world.settings
  const { searchParams } = asked.url
  const time = (name: string, otherwise: number) => {
    const text = searchParams.get(name)
    return text === null ? otherwise : Date.parse(text)
  }
  const [from, to] = [time("start", now - 86_400_000), time("end", now + 1)]
  if (Number.isNaN(from) || Number.isNaN(to) || to - from > 90 * 86_400_000) return detail(400, "start and end: at most 90 days")
  const ids = searchParams.getAll("request_id").flatMap((value) => value.split(","))
  const limit = Math.min(Math.max(Number(searchParams.get("limit") ?? 50), 1), 10_000)
  const start = Number(searchParams.get("cursor") ?? 0)
  const all = executions
    .map(ledgerRow)
    .filter(({ endedAt, requestId, units }) => {
      if (endedAt === null || units === 0 || endedAt + billingSeconds * 1000 > now || isAmong(requestId, billingMissing))
        return false
      return ids.length > 0 ? ids.includes(requestId) : endedAt >= from && endedAt < to
    })
    .map(({ endedAt, endpoint, requestId, simulatedCost, units }) => ({
      request_id: requestId,
      endpoint_id: endpoint,
      timestamp: iso(endedAt),
      output_units: units,
      unit_price: simulatedCost / units,
      cost_estimate_nano_usd: Math.round(simulatedCost * 1e9),
      simulated: true
    }))
  const next = start + limit
  return json(200, {
    billing_events: all.slice(start, next),
    has_more: next < all.length,
    next_cursor: next < all.length ? String(next) : null
  })
}

/**
 * Deletes what is kept of a request that has ended: its result, its place in the history, and the files of its output. What was
 * charged stays charged. [?] The answers for what is not known, not any more, or not over yet.
 */
const deletePayloads = (world: World, requestId: string, executions: ReadonlyArray<Execution>) => {
  const execution = executions.find((one) => one.requestId === requestId)
  if (execution === undefined || execution.deleted) return detail(404, "Request not found")
  if (execution.ending === null) return detail(400, "Request is still in progress")
  execution.deleted = true
  const files = [...world.media].filter(([name]) => name.startsWith(`${requestId}/`))
  return json(200, {
    cdn_delete_results: files.map(([name, { lost }]) => {
      if (lost === undefined) world.media.delete(name)
      return { link: `${execution.mediaBase}/media/${name}`, exception: lost === undefined ? null : "File not available" }
    })
  })
}

/** fal's platform API as far as a worker's operator would ask it. The prices are simulated. */
export const platform = Effect.fnUntraced(function* (world: World, path: string, asked: Asked) {
  const wanted = (name: string) => asked.url.searchParams.getAll(name).flatMap((value) => value.split(","))
  const executions = world.queue.list(yield* world.now)
  const [, deleted] = /^\/models\/requests\/([^/]+)\/payloads$/.exec(path) ?? []
  if (deleted !== undefined && asked.method === "DELETE") return deletePayloads(world, deleted, executions)
  switch (path) {
    case "/models/pricing":
      return json(200, {
        prices: Object.entries(Endpoints.endpoints)
          .filter(([id]) => wanted("endpoint_id").includes(id))
          .map(([endpoint_id, { price, unit }]) => ({ endpoint_id, unit_price: price, unit, currency: "USD", simulated: true }))
      })
    // [?] Whether fal has the history of public models; newer docs list it for endpoints of one's own only.
    case "/models/requests/by-endpoint":
      return json(200, {
        items: executions
          .filter(({ deleted, endpoint }) => !deleted && wanted("endpoint_id").includes(endpoint))
          .map((execution) => ({
            request_id: execution.requestId,
            sent_at: iso(execution.acceptedAt),
            started_at: iso(execution.startedAt),
            ended_at: iso(execution.endedAt),
            status_code: execution.ending?.status ?? null,
            ...(wanted("expand").includes("payloads")
              ? { json_input: execution.input, json_output: execution.ending?.body ?? null }
              : {})
          }))
      })
    case "/models/billing-events":
      return billingEvents(world, asked, executions, yield* world.now)
    default:
      return detail(404, "Not found")
  }
})
