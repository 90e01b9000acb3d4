import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { ConfigProvider, Layer } from "effect"
import { createServer } from "node:http"
import { Vitals } from "../services/Vitals.ts"
import * as FalLimitsMemory from "./memory/FalLimitsMemory.ts"
import * as FleetMemory from "./memory/FleetMemory.ts"
import * as JournalMemory from "./memory/JournalMemory.ts"
import * as MetricsMemory from "./memory/MetricsMemory.ts"
import * as LedgerSql from "./postgres/LedgerSql.ts"
import * as Migrations from "./postgres/Migrations.ts"
import * as ModelLibrarySql from "./postgres/ModelLibrarySql.ts"
import * as PostgresPglite from "./postgres/PostgresPglite.ts"
import * as AuditSql from "./postgres/AuditSql.ts"
import * as ReviewsSql from "./postgres/ReviewsSql.ts"
import * as TaskLivesMemory from "./memory/TaskLivesMemory.ts"
import * as ResultStoreMemory from "./memory/ResultStoreMemory.ts"
import * as TaskQueueMemory from "./memory/TaskQueueMemory.ts"
import * as WorkerIdentityNode from "./process/WorkerIdentityNode.ts"
import * as Media from "./media/Media.ts"
import * as Provider from "./Provider.ts"

const library = Layer.mergeAll(ModelLibrarySql.layer, LedgerSql.layer, ReviewsSql.layer, AuditSql.layer).pipe(
  Layer.provide(Layer.effectDiscard(Migrations.migrate)),
  Layer.provide(PostgresPglite.layer())
)

/**
 * All that a worker and the console need within this process: nothing is installed and nothing is kept. Only fal is spoken to over HTTP, at
 * `FAL_BASE_URL`. The settings given are the only ones: what the environment says of production is not looked at.
 */
export const worker = (settings: Readonly<Record<string, string>>) =>
  Layer.mergeAll(
    Layer.mergeAll(
      TaskQueueMemory.layer.pipe(Layer.provideMerge(ResultStoreMemory.layer)),
      JournalMemory.layer,
      TaskLivesMemory.layer
    ).pipe(Layer.provide(TaskQueueMemory.MemoryBroker.layer)),
    FleetMemory.layer.pipe(Layer.provide(FleetMemory.MemoryAir.layer)),
    FalLimitsMemory.layer,
    library,
    Provider.generator,
    Media.layer,
    Vitals.layer,
    NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })
  ).pipe(
    Layer.provideMerge(Layer.mergeAll(MetricsMemory.layer, WorkerIdentityNode.layer)),
    Layer.provideMerge(ConfigProvider.layer(ConfigProvider.fromUnknown(settings)))
  )

const on = (port: number) => NodeHttpServer.layer(createServer, { host: "127.0.0.1", port, gracefulShutdownTimeout: "1 second" })
/** The console's port on this machine, or any other that is free. */
export const consoleHttp = on(9110).pipe(Layer.catch(() => on(0)))
