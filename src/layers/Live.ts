import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Option } from "effect"
import { createServer } from "node:http"
import * as Settings from "../services/Settings.ts"
import { Vitals } from "../services/Vitals.ts"
import * as AuditSql from "./postgres/AuditSql.ts"
import * as FalLimitsRedis from "./redis/FalLimitsRedis.ts"
import * as FleetRedis from "./redis/FleetRedis.ts"
import * as BudgetRedis from "./redis/BudgetRedis.ts"
import * as JournalRedis from "./redis/JournalRedis.ts"
import * as LedgerSql from "./postgres/LedgerSql.ts"
import * as Media from "./media/Media.ts"
import * as MediaStoreLive from "./media/MediaStoreLive.ts"
import * as MetricsProm from "./MetricsProm.ts"
import * as ModelLibrarySql from "./postgres/ModelLibrarySql.ts"
import * as PicturesProcess from "./media/PicturesProcess.ts"
import * as PostgresPg from "./postgres/PostgresPg.ts"
import * as PreconditionsLive from "./PreconditionsLive.ts"
import * as ResultStoreRedis from "./redis/ResultStoreRedis.ts"
import * as PeopleFile from "./process/PeopleFile.ts"
import * as ReviewsSql from "./postgres/ReviewsSql.ts"
import * as StopSignals from "./process/StopSignals.ts"
import * as TaskLivesRedis from "./redis/TaskLivesRedis.ts"
import * as TaskQueueRedis from "./redis/TaskQueueRedis.ts"
import * as Watchdog from "./process/Watchdog.ts"
import * as WorkerIdentityNode from "./process/WorkerIdentityNode.ts"
import * as Provider from "./Provider.ts"

/** The metrics port, bound at the start so that a port that is taken is known before a task is. */
export const http = Layer.unwrap(
  Effect.map(Settings.of("METRICS_HOST", "METRICS_PORT"), ({ METRICS_HOST, METRICS_PORT }) =>
    NodeHttpServer.layer(createServer, {
      host: METRICS_HOST,
      port: METRICS_PORT,
      gracefulShutdownTimeout: "2 seconds" // who still reads does not hold up a stop
    })
  )
)

/** Queue and results on Redis: all that a client of the workers needs. */
export const client = TaskQueueRedis.layer.pipe(
  Layer.provideMerge(ResultStoreRedis.layer),
  Layer.provideMerge(WorkerIdentityNode.layer)
)

export const library = Layer.mergeAll(ModelLibrarySql.layer, LedgerSql.layer).pipe(Layer.provide(PostgresPg.layer))

/** The library with its pictures: all that an operator's `library` commands need. */
export const pictures = Layer.mergeAll(library, Media.layer).pipe(Layer.provideMerge(MetricsProm.layer))

/** The library with what people have decided of it. */
export const reviewed = Layer.mergeAll(ModelLibrarySql.layer, LedgerSql.layer, ReviewsSql.layer, AuditSql.layer).pipe(
  Layer.provide(PostgresPg.layer)
)

const journal = JournalRedis.layer.pipe(Layer.provide(WorkerIdentityNode.layer))

/** What workers say to each other. */
export const fleet = FleetRedis.layer.pipe(Layer.provide(WorkerIdentityNode.layer))

/** What they are like that all of it rests on. */
export const preconditions = PreconditionsLive.layer.pipe(Layer.provide(PostgresPg.layer))

/** What people at the console look at and decide on. */
export const desk = Layer.mergeAll(
  client,
  journal,
  TaskLivesRedis.layer,
  BudgetRedis.layer,
  fleet,
  reviewed,
  MediaStoreLive.layer,
  Provider.catalogue,
  Provider.generator,
  preconditions,
  FalLimitsRedis.layer
).pipe(Layer.provideMerge(MetricsProm.layer))

/** Those who may sign in there. */
export const people = Layer.unwrap(
  Effect.map(Settings.of("CONSOLE_USERS"), ({ CONSOLE_USERS }) =>
    Option.match(CONSOLE_USERS, { onNone: () => PeopleFile.unset, onSome: PeopleFile.layer })
  )
)

/** The console's port. */
export const consoleHttp = Layer.unwrap(
  Effect.map(Settings.of("CONSOLE_HOST", "CONSOLE_PORT"), ({ CONSOLE_HOST, CONSOLE_PORT }) =>
    NodeHttpServer.layer(createServer, { host: CONSOLE_HOST, port: CONSOLE_PORT, gracefulShutdownTimeout: "2 seconds" })
  )
)

/** Every dependency for real, from the settings. */
export const dependencies = Layer.mergeAll(
  client,
  journal,
  BudgetRedis.layer,
  library,
  preconditions,
  Provider.generator,
  Media.layer
).pipe(Layer.provideMerge(MetricsProm.layer))

/** All that an operator asks about. */
export const survey = Layer.mergeAll(dependencies, FalLimitsRedis.layer.pipe(Layer.provide(MetricsProm.layer)))

/** All that is kept of a task. */
export const traces = Layer.mergeAll(client, journal, TaskLivesRedis.layer, library, Provider.catalogue).pipe(
  Layer.provide(MetricsProm.layer)
)

/** What they share beside: their talk, and how often fal may be asked. */
const shared = Layer.mergeAll(fleet, FalLimitsRedis.layer).pipe(Layer.provide(MetricsProm.layer))

/**
 * The port opens last: what is asked before there is anybody to answer would never be answered. What ends the process is
 * there first and goes last, so that nothing can hold it.
 */
export const worker = http.pipe(
  Layer.provideMerge(Layer.mergeAll(dependencies, shared, Vitals.layer)),
  Layer.provideMerge(Watchdog.layer),
  Layer.provideMerge(StopSignals.layer)
)

/** The settings each of these reads: checked together, so that one message names all that is wrong. */
export const clientSettings = [
  "CELERY_BROKER_URL",
  "CELERY_RESULT_BACKEND",
  "REDIS_PASSWORD",
  "WORKER_NAME",
  "WORKER_QUEUES",
  "VISIBILITY_TIMEOUT",
  "RESULT_EXPIRES",
  "RESULT_CHORD_ORDERED"
] as const satisfies ReadonlyArray<Settings.Name>
export const budgetSettings = [
  "CELERY_BROKER_URL",
  "REDIS_PASSWORD",
  "BUDGET_DAY",
  "BUDGET_MONTH",
  "BUDGET_CAPS",
  "BUDGET_ALERT",
  "BUDGET_TIMEZONE"
] as const satisfies ReadonlyArray<Settings.Name>
export const mediaSettings = [
  ...MediaStoreLive.settings,
  ...PicturesProcess.settings
] as const satisfies ReadonlyArray<Settings.Name>
export const databaseSettings = [
  "DATABASE_URL",
  "DATABASE_POOL",
  "WORKER_CONCURRENCY",
  "WORKER_AUTOSCALE"
] as const satisfies ReadonlyArray<Settings.Name>
