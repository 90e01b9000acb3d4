import { Console, Effect, Schema } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import * as Settings from "../../services/Settings.ts"
import { inUrl } from "../../services/settings/unquote.ts"
import type { QueueError } from "../../services/QueueError.ts"
import { QueueInspector } from "../../services/QueueInspector.ts"
import * as Tree from "../runtime/Tree.ts"
import { print } from "./client.ts"
import { Failed } from "./outcome.ts"

const PATIENCE = "3 seconds"
export type Errors = Failed | QueueError

/** A server that listens on every address is asked at this machine's own. */
const own: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" }

/** Where this container's worker answers. */
export const ownAddress = Settings.of("METRICS_HOST", "METRICS_PORT").pipe(
  Effect.map(({ METRICS_HOST, METRICS_PORT }) => `${inUrl(own[METRICS_HOST] ?? METRICS_HOST)}:${METRICS_PORT}`),
  Effect.orDie // a command checks its settings before it starts
)

/** Where a worker says it answers. One that listens on every address is reached by its host's name. */
export const addressOf = Effect.fnUntraced(function* (name: string) {
  const inspector = yield* QueueInspector
  const { workers } = yield* inspector.status
  const worker = workers.find((worker) => worker.name === name)
  if (worker === undefined) {
    const known = workers.map((worker) => worker.name).join(", ")
    return yield* new Failed({ message: `no worker called ${name} has reported; there are: ${known === "" ? "none" : known}` })
  }
  return worker.metrics.replace(/^(0\.0\.0\.0|\[::\]):/, `${worker.host}:`)
})

const get = Effect.fnUntraced(function* <A>(address: string, path: string, schema: Schema.Codec<A, unknown>) {
  const client = yield* HttpClient.HttpClient
  const nobody = new Failed({ message: `no worker answers at ${address} within ${PATIENCE}: is it running?` })
  return yield* client.get(`http://${address}${path}`).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(schema)),
    Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.fail(nobody) }),
    Effect.mapError((error) =>
      error._tag === "SchemaError"
        ? new Failed({ message: `what answers at ${address} is not a worker of model-generator` })
        : nobody
    )
  )
})

const Health = Schema.Struct({
  worker: Schema.String,
  healthy: Schema.Boolean,
  why: Schema.String,
  processed: Schema.Int,
  slots: Schema.Int,
  running: Schema.Array(Schema.String)
})

export const health = Effect.fn("health.self")(function* (address: string, json: boolean) {
  const answer = yield* get(address, "/health", Health)
  if (json) yield* print(answer)
  if (!answer.healthy) return yield* new Failed({ message: `${answer.worker} is not healthy: ${answer.why}` })
  if (!json)
    yield* Console.log(
      `${answer.worker} is healthy: ${answer.processed} tasks done, ${answer.running.length} of ${answer.slots} slots busy`
    )
})

export const tree = Effect.fn("health.tree")(function* (address: string, json: boolean) {
  const snapshot = yield* get(address, "/tree", Tree.Snapshot)
  yield* json ? print(snapshot) : Console.log(Tree.draw(snapshot))
})
