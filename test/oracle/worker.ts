/** Our worker as a process of its own with the oracle's tasks beside ours: Redis for real, fal and the library in memory. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import { createServer } from "node:http"
import * as FalLimitsMemory from "../../src/layers/memory/FalLimitsMemory.ts"
import * as FleetRedis from "../../src/layers/redis/FleetRedis.ts"
import * as Media from "../../src/layers/media/Media.ts"
import * as GeneratorMemory from "../../src/layers/memory/GeneratorMemory.ts"
import * as JournalMemory from "../../src/layers/memory/JournalMemory.ts"
import { MemoryBroker } from "../../src/layers/memory/TaskQueueMemory.ts"
import * as Logging from "../../src/layers/process/Logging.ts"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as ModelLibraryMemory from "../../src/layers/memory/ModelLibraryMemory.ts"
import * as ResultStoreRedis from "../../src/layers/redis/ResultStoreRedis.ts"
import * as StopSignals from "../../src/layers/process/StopSignals.ts"
import * as TaskQueueRedis from "../../src/layers/redis/TaskQueueRedis.ts"
import * as WorkerIdentityNode from "../../src/layers/process/WorkerIdentityNode.ts"
import { makeRegistry } from "../../src/programs/registry.ts"
import { workerOf } from "../../src/programs/worker/worker.ts"
import { Generator } from "../../src/services/Generator.ts"
import { Vitals } from "../../src/services/Vitals.ts"
import { programs } from "./programs.ts"

/** `edit_model` takes only pictures that can be fetched. */
const pictures = Layer.effect(
  Generator,
  Effect.map(Generator, (generator) =>
    Generator.of({
      ...generator,
      result: (ticket) => Effect.map(generator.result(ticket), (picture) => ({ ...picture, url: "https://fal.test/picture.jpg" }))
    })
  )
).pipe(Layer.provideMerge(GeneratorMemory.layer))

const layer = Layer.mergeAll(
  TaskQueueRedis.layer.pipe(Layer.provideMerge(ResultStoreRedis.layer)),
  FleetRedis.layer,
  NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }),
  JournalMemory.layer.pipe(Layer.provide(MemoryBroker.layer)),
  FalLimitsMemory.layer,
  ModelLibraryMemory.layer,
  pictures,
  Media.layer,
  MetricsMemory.layer,
  StopSignals.layer,
  Vitals.layer
).pipe(Layer.provideMerge(WorkerIdentityNode.layer), Layer.provideMerge(Logging.layer))

Effect.gen(function* () {
  const fal = yield* GeneratorMemory.GeneratorScript
  yield* fal.jobs(...Array.from({ length: 2000 }, () => ({ ends: "picture", after: 0 }) as const))
  const registry = yield* makeRegistry
  return yield* workerOf(new Map([...registry, ...programs.map((program) => [program.name, program] as const)]))
}).pipe(Effect.scoped, Effect.provide(layer), NodeRuntime.runMain)
