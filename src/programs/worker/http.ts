import { Clock, Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Metrics } from "../../services/Metrics.ts"
import { running, Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as Tree from "../supervision/Tree.ts"
import type { Self } from "../supervision/Supervisor.ts"

/** A worker that proves nothing for this long is not healthy (milliseconds). */
const SILENCE = 30_000

/** Why this worker cannot be said to consume; "" when it does. */
export const trouble = (vitals: Vitals["Service"], startedAt: number, now: number): string => {
  if (vitals.paused !== "") return `paused: ${vitals.paused}`
  if (now - Math.max(vitals.lastBeat, startedAt) > SILENCE)
    return "no answer from the broker for 30 s: look at Redis and the network"
  if (!vitals.full && now - Math.max(vitals.lastLook, startedAt) > SILENCE)
    return "has not looked at the queue for 30 s though a slot is free"
  return ""
}

/** `/metrics` for Prometheus, `/health` for `health --self`, `/tree` for `health --tree`. */
const routes = (root: () => Tree.Node) =>
  Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/metrics",
      Effect.gen(function* () {
        const metrics = yield* Metrics
        const { body, contentType } = yield* metrics.expose
        return HttpServerResponse.text(body, { contentType })
      })
    ),
    HttpRouter.add(
      "GET",
      "/health",
      Effect.gen(function* () {
        const vitals = yield* Vitals
        const me = yield* WorkerIdentity
        const why = trouble(vitals, me.startedAt, yield* Clock.currentTimeMillis)
        const body = { worker: me.name, healthy: why === "", why, processed: vitals.processed, running: running(vitals) }
        return yield* HttpServerResponse.json(body, { status: why === "" ? 200 : 503 })
      })
    ),
    HttpRouter.add(
      "GET",
      "/tree",
      Effect.suspend(() => HttpServerResponse.json(Tree.snapshot(root())))
    )
  )

export const httpServer = (root: () => Tree.Node) => (self: Self) =>
  Effect.andThen(
    self.doing("serving /metrics, /health and /tree"),
    Layer.launch(HttpRouter.serve(routes(root), { disableLogger: true, disableListenLog: true }))
  )
