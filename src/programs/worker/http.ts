import { Clock, Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Metrics } from "../../services/Metrics.ts"
import { running, Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { refresh } from "./gauges.ts"
import { trouble } from "./health.ts"
import { closed } from "../task/obstacles.ts"
import * as Tree from "../runtime/Tree.ts"
import type { Self } from "../runtime/Supervisor.ts"

/** `/metrics` for Prometheus, `/health` for `health --self`, `/tree` for `health --tree`. */
const routes = (root: () => Tree.Node) =>
  Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/metrics",
      Effect.gen(function* () {
        const metrics = yield* Metrics
        yield* refresh
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
        const body = {
          worker: me.name,
          healthy: why === "",
          why,
          closed: closed(vitals),
          processed: vitals.processed,
          slots: vitals.slots,
          running: running(vitals)
        }
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
