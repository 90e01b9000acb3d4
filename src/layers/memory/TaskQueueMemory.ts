import { Context, Effect, Layer } from "effect"
import { DeadLetters } from "../../services/DeadLetters.ts"
import { Lease } from "../../services/Lease.ts"
import { Publisher } from "../../services/Publisher.ts"
import { QueueInspector } from "../../services/QueueInspector.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { MemoryBroker, MemoryWire, ResultsBeside } from "./Broker.ts"
import { deadLetters } from "./deadLetters.ts"
import { inspector } from "./inspector.ts"
import { lease } from "./lease.ts"
import { publisher } from "./publisher.ts"
import { type Shared, stepsOf } from "./shared.ts"
import { taskQueue } from "./taskQueue.ts"

/** For who gives several workers the one broker, or a bad way to it. */
export { MemoryBroker, MemoryWire, ResultsBeside }

const make = Effect.gen(function* () {
  const { WORKER_QUEUES } = yield* Settings.of("WORKER_QUEUES")
  const me = yield* WorkerIdentity
  const broker = yield* MemoryBroker
  const shared: Shared = {
    ...stepsOf(broker, yield* MemoryWire),
    broker,
    me,
    queues: WORKER_QUEUES,
    mine: new Set(),
    failed: new Map()
  }
  return Context.make(TaskQueue, taskQueue(shared, yield* ResultStore, yield* ResultsBeside)).pipe(
    Context.add(Publisher, publisher(shared)),
    Context.add(Lease, lease(shared)),
    Context.add(DeadLetters, deadLetters(shared)),
    Context.add(QueueInspector, inspector(shared))
  )
})

/** Every role of the task queue: what a worker holds is known to all of them. */
export const layer = Layer.effectContext(make)
