import { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { isJobFault } from "./Fault.ts"
import { type Asked, detail, html, json } from "./HttpReply.ts"
import { targetOf, unauthorized } from "./routes.ts"
import { begin, cut, pour, send, sendTwice } from "./send.ts"
import { spoil } from "./spoil.ts"
import { stream } from "./statusStream.ts"
import type { World } from "./World.ts"

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const parts: Array<Buffer> = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts)
}

const signature = ({ url }: Asked) => ({ "x-fal-request-id": url.pathname.split("/requests/")[1]?.split("/")[0] ?? "none" })

/** One HTTP exchange. Faults are applied here, around an answer that does not know of them. */
const exchange = Effect.fnUntraced(function* (world: World, request: IncomingMessage, response: ServerResponse) {
  const asked: Asked = {
    method: request.method ?? "GET",
    url: new URL(request.url ?? "/", "http://simulator"),
    header: (name) => String(request.headers[name] ?? ""),
    body: yield* Effect.promise(() => bodyOf(request).catch(() => Buffer.alloc(0)))
  }
  const target = targetOf(asked)
  if (target === undefined) return send(response, detail(404, "Not found"))
  const { answer, route } = target
  if (route !== "control") world.calls[route]++
  const fault = route === "control" ? undefined : world.faults.take(route, asked.url.pathname, (fault) => !isJobFault(fault))
  const ms = fault?.ms ?? 1000
  switch (fault?.kind) {
    case "delay":
      yield* Effect.sleep(ms)
      break
    case "reset":
      return cut(response)
    case "hang":
      return yield* Effect.never
    case "busy":
      return send(response, {
        ...detail(429, "Concurrent requests limit reached", {
          "retry-after": String(Math.ceil(ms / 1000)),
          "x-fal-needs-retry": "1"
        })
      })
    case "busy-until": {
      const now = yield* world.now
      // Both dates by one clock, as a server's are: Node's own date would be the machine's.
      const headers = { date: new Date(now).toUTCString(), "retry-after": new Date(now + ms).toUTCString() }
      return send(response, detail(429, "Too many requests", headers))
    }
    case "error":
      return send(response, detail(fault.status ?? 500, fault.type ?? "Internal Server Error"))
    case "error-signed":
      return send(response, json(fault.status ?? 500, { detail: fault.type ?? "Internal Server Error" }, signature(asked)))
    case "error-listed": {
      const problem = { loc: ["body"], msg: fault.type ?? "out of order", type: "model_error" }
      return send(response, json(fault.status ?? 500, { detail: [problem] }, signature(asked)))
    }
    case "redirect":
      return send(response, { ...html(fault.status ?? 307, "Moved"), headers: { location: "https://other.example/" } })
    case "gateway":
      return send(response, html(fault.status ?? 502, `${fault.status ?? 502} Bad Gateway`))
    case "html":
      return send(response, html(200, "Welcome"))
    case "not-found":
      return send(response, detail(404, "Not found"))
    case "early":
      return send(response, detail(400, "Request is still in progress"))
    default:
  }
  const refusal = unauthorized(world, asked, route)
  if (refusal === undefined && target.stream !== undefined) return yield* stream(world, response, asked, target.stream, fault)
  const good = refusal ?? (yield* answer(world, asked))
  const reply = fault === undefined ? good : spoil(fault, good)
  switch (fault?.kind) {
    case "accept-then-delay":
      yield* Effect.sleep(ms)
      return send(response, reply)
    case "accept-then-reset":
      return cut(response)
    case "accept-then-truncate":
    case "id-in-beginning":
      return cut(response, reply)
    case "accept-then-hang":
      return yield* Effect.never
    case "twice":
      return sendTwice(response, reply)
    case "hints":
      response.writeContinue()
      response.writeEarlyHints({ link: "</>; rel=preload" })
      return send(response, reply)
    case "endless":
      begin(response, reply)
      return pour(response, " ")
    case "trickle":
      begin(response, reply)
      while (!response.destroyed) {
        yield* Effect.sleep(ms)
        response.write(" ")
      }
      return
    default:
      return send(response, reply)
  }
})

/** As `exchange`. A defect in it is a 500 that says so: without an answer the client would wait until it gives up. */
export const serve = (world: World, request: IncomingMessage, response: ServerResponse) =>
  Effect.catchDefect(exchange(world, request, response), (defect) =>
    Effect.sync(() => {
      if (response.headersSent) response.destroy()
      else send(response, detail(500, `a defect in the simulator: ${String(defect)}`))
    })
  )
