import { Effect, Schema } from "effect"
import type { Redis } from "ioredis"
import * as Service from "../../services/Endpoints.ts"
import * as kombu from "../../wire/kombu.ts"
import { admitToEndpoint } from "./scripts/admitToEndpoint.ts"
import { closedEndpoints } from "./scripts/closedEndpoints.ts"
import { closeEndpoint } from "./scripts/closeEndpoint.ts"
import { endTrial } from "./scripts/endTrial.ts"
import { isEndpointClear } from "./scripts/isEndpointClear.ts"
import { bind } from "./scripts/script.ts"
import { attempting } from "../attempting.ts"

const Entry = Schema.fromJsonString(Schema.Struct({ reason: Service.Reason, why: Schema.String }))
const entryOf = Schema.decodeSync(Entry)

/** Which endpoints of fal are closed, in one hash of the broker's Redis. */
export const make = (redis: Redis) => {
  const run = {
    isClear: bind(redis, isEndpointClear),
    admit: bind(redis, admitToEndpoint),
    close: bind(redis, closeEndpoint),
    endTrial: bind(redis, endTrial),
    closed: bind(redis, closedEndpoints)
  }
  const attempt = attempting(Service.EndpointsError)
  const told = (endpoint: string, entry: string, left: string): Service.Closed => ({
    endpoint,
    ...entryOf(entry),
    seconds: Number(left)
  })
  const closing = (endpoint: string, reason: Service.Reason, why: string, pause: number | undefined) =>
    attempt(reason, async () => {
      const [entry, left] = await run.close({
        endpoint,
        reason,
        why: why.slice(0, Service.LONGEST_WHY),
        pause,
        first: Service.FIRST,
        longest: Service.LONGEST,
        forget: Service.FORGET
      })
      return told(endpoint, entry, left)
    })

  return Service.Endpoints.of({
    isClear: (endpoint) => attempt("isClear", () => run.isClear({ endpoint })),
    admit: (endpoint) =>
      attempt("admit", async (): Promise<Service.Admission> => {
        const reply = await run.admit({ endpoint, trial: Service.TRIAL, forget: Service.FORGET })
        if (reply[0] === "closed") return { _tag: "Closed", ...told(endpoint, reply[1], reply[2]) }
        return { _tag: reply[0] === "open" ? "Open" : "Trial" }
      }),
    refused: (endpoint, why) => closing(endpoint, "refused", why, undefined),
    busy: (endpoint, why, seconds) => closing(endpoint, "busy", why, Math.min(Math.max(seconds, 0), Service.LONGEST)),
    untried: (endpoint) => attempt("untried", () => run.endTrial({ endpoint })),
    opened: (endpoint) => Effect.asVoid(attempt("opened", () => redis.hdel(kombu.endpoints, endpoint))),
    closed: attempt("closed", async () => {
      const all = await run.closed({ forget: Service.FORGET })
      return all.map((closure) => told(...closure))
    })
  })
}
