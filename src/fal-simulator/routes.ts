import { Effect } from "effect"
import { control } from "./control.ts"
import type { Route } from "./Fault.ts"
import { media } from "./media.ts"
import { platform } from "./platform.ts"
import { type Asked, detail, type Reply } from "./HttpReply.ts"
import * as Requests from "./requests.ts"
import { submit } from "./submitRoute.ts"
import type { World } from "./World.ts"

interface Target {
  readonly route: Route | "control"
  readonly answer: (world: World, asked: Asked) => Effect.Effect<Reply>
  /** Where a status stream looks. */
  readonly stream?: readonly [app: string, requestId: string]
}

const ofRequest = /^\/(.+)\/requests\/([^/]+)(\/status|\/status\/stream|\/response|\/cancel)?$/

/** One port serves fal's queue, media and platform hosts. `undefined`: fal has no such route. */
export const targetOf = ({ method, url }: Asked): Target | undefined => {
  const path = decodeURI(url.pathname)
  if (path.startsWith("/_sim/")) return { route: "control", answer: control }
  if (path.startsWith("/media/")) return { route: "media", answer: (world) => media(world, path.slice("/media/".length)) }
  if (path.startsWith("/v1/")) {
    return { route: "platform", answer: (world, asked) => platform(world, path.slice("/v1".length), asked) }
  }
  // Only the app's name stands before `requests`; with the rest of the endpoint's name fal answers 404.
  const [, app, id, what] = ofRequest.exec(url.pathname) ?? []
  if (app !== undefined && id !== undefined) {
    const requestId = decodeURIComponent(id)
    switch (`${method} ${what ?? ""}`) {
      case "GET /status":
        return { route: "status", answer: (world, asked) => Requests.status(world, app, requestId, asked) }
      case "GET /status/stream":
        return { route: "stream", answer: () => Effect.succeed(detail(404, "Request not found")), stream: [app, requestId] }
      case "GET ":
      case "GET /response":
        return { route: "result", answer: (world) => Requests.result(world, app, requestId) }
      case "PUT /cancel":
        return { route: "cancel", answer: (world) => Requests.cancel(world, app, requestId) }
      default:
        return undefined
    }
  }
  return method === "POST" && !path.includes("/requests/")
    ? { route: "submit", answer: (world, asked) => submit(world, path.slice(1), asked) }
    : undefined
}

/** `undefined` when the key will do. */
export const unauthorized = (world: World, asked: Asked, route: Target["route"]): Reply | undefined => {
  if (route === "control" || route === "media") return undefined
  const key = /^Key (\S+)$/.exec(asked.header("authorization"))?.[1]
  const needed = /\/(billing-events|payloads)$/.test(asked.url.pathname) ? world.keys.adminKey : world.keys.key
  return key === undefined || world.settings.keyRevoked || (needed !== undefined && key !== needed)
    ? detail(401, "Cannot access application. Authentication is required to access this application.")
    : undefined
}
