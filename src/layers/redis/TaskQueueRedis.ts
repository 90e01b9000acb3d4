import { Context, Duration, Effect, Layer } from "effect"
import { DeadLetters } from "../../services/DeadLetters.ts"
import { Lease } from "../../services/Lease.ts"
import { Publisher } from "../../services/Publisher.ts"
import { QueueInspector } from "../../services/QueueInspector.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as Connections from "./Connections.ts"
import { deadLetters } from "./deadLetters.ts"
import { messageWaiter } from "./messageWaiter.ts"
import { inspector } from "./inspector.ts"
import { lease } from "./lease.ts"
import { publisher } from "./publisher.ts"
import { storing } from "./results.ts"
import type { Shared } from "./shared.ts"
import { taskQueue } from "./taskQueue.ts"
import { backend, broker } from "./where.ts"

const make = Effect.gen(function* () {
  const settings = yield* Settings.of("WORKER_QUEUES", "VISIBILITY_TIMEOUT", "RESULT_EXPIRES")
  const me = yield* WorkerIdentity
  const where = yield* broker
  const redis = yield* (yield* Connections.Connections).commands(where)
  const messages = yield* messageWaiter(where)
  const shared: Shared = {
    redis,
    keyPrefix: where.keyPrefix,
    me,
    visibility: Duration.toSeconds(settings.VISIBILITY_TIMEOUT),
    queues: settings.WORKER_QUEUES,
    home: () => shared.queues[0] ?? settings.WORKER_QUEUES[0]!,
    mine: new Set(),
    failed: new Map()
  }
  const results = storing(where, yield* backend, settings.RESULT_EXPIRES, yield* ResultStore)
  return Context.make(TaskQueue, taskQueue(shared, messages, results)).pipe(
    Context.add(Publisher, publisher(redis)),
    Context.add(Lease, lease(shared)),
    Context.add(DeadLetters, deadLetters(shared)),
    Context.add(QueueInspector, inspector(shared))
  )
})

/** Every role of the task queue: what a worker holds is known to all of them. */
export const layer = Layer.effectContext(make).pipe(Layer.provide(Connections.layer))
