import { Effect, Layer } from "effect"
import * as TaskQueueMemory from "../../src/layers/TaskQueueMemory.ts"
import * as TaskQueueRedis from "../../src/layers/TaskQueueRedis.ts"
import { taskQueueContract } from "../contracts/taskQueue.ts"
import { describeWith, freshRedis } from "../servers/index.ts"
import { identity, settings } from "../support.ts"

taskQueueContract(
  "the task queue in this process",
  Effect.map(Layer.build(TaskQueueMemory.MemoryBroker.layer), (broker) => ({
    worker: (name, overrides) =>
      Layer.fresh(TaskQueueMemory.layer).pipe(
        Layer.provideMerge(identity(name, overrides)),
        Layer.provide(Layer.succeedContext(broker)),
        Layer.provide(settings({})),
        Layer.orDie
      )
  }))
)

describeWith(["redis"], "with a Redis server", ({ redis }) => {
  taskQueueContract(
    "the task queue on Redis",
    Effect.map(freshRedis(redis), ({ url }) => ({
      worker: (name, overrides) =>
        Layer.fresh(TaskQueueRedis.layer).pipe(
          Layer.provideMerge(identity(name, overrides)),
          Layer.provide(settings({ CELERY_BROKER_URL: url })),
          Layer.orDie
        )
    }))
  )
})
