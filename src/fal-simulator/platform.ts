import { Effect } from "effect"
import * as Endpoints from "./knownEndpoints.ts"
import { type Asked, detail, json } from "./HttpReply.ts"
import { ledgerRow, type World } from "./World.ts"

const iso = (millis: number | null) => (millis === null ? null : new Date(millis).toISOString())

/** fal's platform API as far as a worker's operator would ask it. The prices are simulated. */
export const platform = Effect.fnUntraced(function* (world: World, path: string, asked: Asked) {
  const wanted = (name: string) => asked.url.searchParams.getAll(name).flatMap((value) => value.split(","))
  const executions = world.queue.list(yield* world.now)
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
          .filter(({ endpoint }) => wanted("endpoint_id").includes(endpoint))
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
      return json(200, {
        billing_events: executions
          .map(ledgerRow)
          .filter(
            ({ requestId, units }) => units > 0 && (wanted("request_id").length === 0 || wanted("request_id").includes(requestId))
          )
          .map(({ endpoint, requestId, simulatedCost, units }) => ({
            request_id: requestId,
            endpoint_id: endpoint,
            units,
            cost: simulatedCost,
            simulated: true
          }))
      })
    default:
      return detail(404, "Not found")
  }
})
