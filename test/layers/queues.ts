import { Layer } from "effect"
import * as ResultStoreMemory from "../../src/layers/memory/ResultStoreMemory.ts"
import * as TaskQueueMemory from "../../src/layers/memory/TaskQueueMemory.ts"
import * as TaskQueueRedis from "../../src/layers/redis/TaskQueueRedis.ts"

/** A task queue each time, for who has no result store to look at. */
export const onRedis = Layer.fresh(TaskQueueRedis.layer.pipe(Layer.provide(Layer.fresh(ResultStoreMemory.layer))))
export const inMemory = Layer.fresh(TaskQueueMemory.layer.pipe(Layer.provide(Layer.fresh(ResultStoreMemory.layer))))
