import { Effect } from "effect"
import type { ServerResponse } from "node:http"
import type { Fault } from "./Fault.ts"
import { type Asked, detail } from "./HttpReply.ts"
import * as Requests from "./requests.ts"
import { cutSoon, pour, send } from "./send.ts"
import type { World } from "./World.ts"

/** The time between two checks of a request when nothing is due before (milliseconds). */
const GAP = 250
const HUGE = 3_000_000

const eventOf = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`
const rubbish = ["data: not JSON\n\n", "event: ping\nid: 7\nretry: 10\n\n", eventOf([1, null]), eventOf({ status: 200 })]

/** Sends the status of a request whenever it changes, until the request has ended. */
const tell = Effect.fnUntraced(function* (
  world: World,
  response: ServerResponse,
  asked: Asked,
  [app, requestId]: readonly [app: string, requestId: string],
  fault: Fault | undefined
) {
  const ms = fault?.ms ?? 1000
  let told = ""
  for (let events = 0; ; events++) {
    const next = yield* Requests.event(world, app, requestId, asked)
    if (next === undefined) return response.headersSent ? response.end() : send(response, detail(404, "Request not found"))
    if (!response.headersSent) {
      const type = fault?.kind === "stream-untyped" ? "application/json" : "text/event-stream"
      response.writeHead(200, { "content-type": type, "x-fal-request-id": encodeURIComponent(requestId) })
      response.flushHeaders()
      switch (fault?.kind) {
        case "stream-silent":
          return yield* Effect.never
        case "stream-lies":
          return response.end(eventOf({ ...next.status, status: "COMPLETED", metrics: { inference_time: 0.1 } }))
        case "stream-rubbish":
          for (const event of rubbish) response.write(event)
          break
        case "stream-huge":
          response.write(eventOf({ ...next.status, padding: "x".repeat(HUGE) }))
          break
        case "stream-endless":
          pour(response, ": nothing to say\n\n")
          return yield* Effect.never
        case "stream-trickle":
          for (;;) {
            response.write(":")
            yield* Effect.sleep(ms)
          }
        default:
      }
    }
    const text = eventOf(next.status)
    if (text !== told) {
      if (fault?.kind === "stream-slow") yield* Effect.sleep(ms)
      response.write(text)
      told = text
    }
    if (fault?.kind === "stream-cut") return cutSoon(response)
    if (next.last || fault?.kind === "stream-ends") return response.end()
    yield* Effect.sleep(Math.min(GAP, next.dueIn))
  }
})

const gone = (response: ServerResponse) =>
  Effect.callback<void>((resume) => void response.once("close", () => resume(Effect.void)))

/** Ends when the last event is sent or the client has gone. */
export const stream = (...all: Parameters<typeof tell>) =>
  Effect.suspend(() => {
    const [world, response] = all
    world.streams++
    return Effect.ensuring(
      Effect.raceFirst(tell(...all), gone(response)),
      Effect.sync(() => world.streams--)
    )
  })
