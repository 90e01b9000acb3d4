import { Effect } from "effect"
import type { Execution } from "./Queue.ts"
import { type Asked, detail, json, type Reply } from "./HttpReply.ts"
import { urlsOf } from "./submitRoute.ts"
import { stateOf, type World } from "./World.ts"

/** [?] The body of a 404 for an id that is not known, or not any more. */
const unknown = detail(404, "Request not found")

const statusBody = (world: World, execution: Execution, asked: Asked) => {
  const status = stateOf(execution)
  const { ending } = execution
  const withLogs = asked.url.searchParams.get("logs") === "1"
  const base = `http://${asked.header("host")}`
  const logs =
    withLogs && execution.startedAt !== null
      ? [{ timestamp: new Date(execution.startedAt).toISOString(), level: "INFO", source: "USER", message: "drawing" }]
      : null
  return {
    status,
    request_id: execution.requestId,
    ...(status === "IN_QUEUE" ? { queue_position: world.queue.position(execution) } : {}),
    ...(status === "COMPLETED" ? { metrics: ending?.status === 200 ? { inference_time: execution.takes / 1000 } : {} } : {}),
    ...ending?.error,
    logs,
    ...urlsOf(base, execution)
  }
}

const find = (world: World, app: string, requestId: string) =>
  Effect.map(world.now, (now) => world.queue.find(app, requestId, now))

export const status = Effect.fnUntraced(function* (world: World, app: string, requestId: string, asked: Asked) {
  const execution = yield* find(world, app, requestId)
  if (execution === undefined) return unknown
  const code = execution.ending === null ? world.settings.waitingStatus : 200
  return json(code, statusBody(world, execution, asked), { "x-fal-request-id": encodeURIComponent(requestId) })
})

/** The next event of a status stream, whether it is the last, and in how many milliseconds the request is due to end. */
export const event = Effect.fnUntraced(function* (world: World, app: string, requestId: string, asked: Asked) {
  const execution = yield* find(world, app, requestId)
  if (execution === undefined) return undefined
  const { ending, ready, startedAt, takes } = execution
  const dueIn = ready && startedAt !== null ? Math.max(0, startedAt + takes - (yield* world.now)) : Infinity
  return { status: statusBody(world, execution, asked), last: ending !== null, dueIn }
})

export const result = Effect.fnUntraced(function* (world: World, app: string, requestId: string): Effect.fn.Return<Reply> {
  const execution = yield* find(world, app, requestId)
  if (execution === undefined) return unknown
  const { ending } = execution
  if (ending?.forgotten === true) return unknown
  // [?] Its exact shape.
  if (ending === null)
    return json(400, { detail: "Request is still in progress" }, { "x-fal-request-id": encodeURIComponent(requestId) })
  return json(ending.status, ending.body, {
    "x-fal-request-id": encodeURIComponent(requestId),
    "x-fal-billable-units": String(ending.units),
    ...ending.headers
  })
})

export const cancel = Effect.fnUntraced(function* (world: World, app: string, requestId: string) {
  const execution = yield* find(world, app, requestId)
  if (execution === undefined) return json(404, { status: "NOT_FOUND" })
  // [?] The newer reference has "OK" for what had not started.
  const answer = world.queue.cancel(execution, yield* world.now)
  return json(
    answer === "ALREADY_COMPLETED" ? 400 : 202,
    { status: answer },
    { "x-fal-request-id": encodeURIComponent(requestId) }
  )
})
