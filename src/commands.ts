import { Effect, Layer, References } from "effect"
import { Command } from "effect/cli"
import * as Embedded from "./layers/Embedded.ts"
import * as Live from "./layers/Live.ts"
import * as Provider from "./layers/Provider.ts"
import * as BudgetRedis from "./layers/redis/BudgetRedis.ts"
import * as Migrations from "./layers/postgres/Migrations.ts"
import * as PostgresPg from "./layers/postgres/PostgresPg.ts"
import * as Logging from "./layers/process/Logging.ts"
import { check } from "./layers/process/startCheck.ts"
import { budget } from "./programs/commands/budget.ts"
import { batch } from "./programs/commands/batch.ts"
import { console as consoleCommand } from "./programs/commands/console.ts"
import { dead } from "./programs/commands/dead.ts"
import { demo } from "./programs/commands/demo.ts"
import { edit } from "./programs/commands/edit.ts"
import { falSimulator } from "./programs/commands/falSimulator.ts"
import { generate } from "./programs/commands/generate.ts"
import { health } from "./programs/commands/health.ts"
import { inspect } from "./programs/commands/inspect.ts"
import { ledger } from "./programs/commands/ledger.ts"
import { library as libraryCommand } from "./programs/commands/library.ts"
import { migrate } from "./programs/commands/migrate.ts"
import { why } from "./programs/commands/why.ts"
import { reconcile } from "./programs/commands/reconcile.ts"
import type * as Settings from "./services/Settings.ts"

/** A layer behind a check of all the settings it reads, so that one message names every one that is wrong. */
const checked = <A, E, R>(names: ReadonlyArray<Settings.Name>, layer: Layer.Layer<A, E, R>) =>
  Layer.unwrap(Effect.as(check(names), layer))
/** A command that asks says what is wrong itself, in its last line; the log would say it a second time. */
const quiet = Layer.mergeAll(Layer.succeed(References.MinimumLogLevel, "None"))

const client = checked(Live.clientSettings, Live.client).pipe(Layer.provideMerge(quiet))
const library = checked(Live.databaseSettings, Live.library).pipe(Layer.provideMerge(quiet))
const catalogueSettings = [
  "FAL_MODEL",
  "FAL_EDIT_MODEL",
  "FAL_UNPRICED_MODELS",
  "BATCH_ASK_ABOVE",
  "LIBRARY_TARGET",
  "LIBRARY_TARGETS"
] as const satisfies ReadonlyArray<Settings.Name>
const catalogue = checked(catalogueSettings, Provider.catalogue)
const budgets = checked(Live.budgetSettings, BudgetRedis.layer).pipe(Layer.provideMerge(quiet))
const selfSettings = ["METRICS_HOST", "METRICS_PORT"] as const satisfies ReadonlyArray<Settings.Name>
const falSettings = [
  "FAL_KEY",
  "FAL_MODEL",
  "FAL_EDIT_MODEL",
  "FAL_UNPRICED_MODELS",
  "FAL_BASE_URL",
  "FAL_MAX_CONCURRENT",
  "FAL_RATE_LIMIT",
  "TASK_TIME_LIMIT"
] as const satisfies ReadonlyArray<Settings.Name>
const world = checked(
  [...Live.clientSettings, ...Live.databaseSettings, ...Live.mediaSettings, ...Live.budgetSettings, ...falSettings],
  Live.survey
).pipe(Layer.provideMerge(quiet))

const reviewed = checked(Live.databaseSettings, Live.reviewed).pipe(Layer.provideMerge(quiet))
const brokerSettings = [
  "CELERY_BROKER_URL",
  "REDIS_PASSWORD",
  "WORKER_NAME",
  "BROKER_FANOUT_PREFIX",
  "BROKER_FANOUT_PATTERNS"
] as const satisfies ReadonlyArray<Settings.Name>
const desk = checked(
  [
    ...Live.clientSettings,
    ...Live.databaseSettings,
    ...Live.mediaSettings,
    ...Live.budgetSettings,
    ...catalogueSettings,
    ...brokerSettings,
    ...falSettings
  ],
  Live.desk
)
const consoleHttp = checked(["CONSOLE_HOST", "CONSOLE_PORT"], Live.consoleHttp)
const people = checked(["CONSOLE_USERS", "CONSOLE_PROXY_HEADER", "CONSOLE_PROXY_ADDRESS", "CONSOLE_PROXY_ROLE"], Live.people)

const traces = checked(
  [...Live.clientSettings, ...Live.databaseSettings, ...catalogueSettings, "FAL_MAX_CONCURRENT", "TASK_TIME_LIMIT"],
  Live.traces
).pipe(Layer.provideMerge(quiet))

const pending = Effect.provide(Migrations.pending, PostgresPg.layer)

/** Every command but `worker`, which loads none of them. `untilStopped`: a signal is the way to end it. */
export const commands = (untilStopped: Layer.Layer<never>) =>
  [
    demo(Embedded.worker, Embedded.consoleHttp, untilStopped),
    health(world, client, check(selfSettings), pending),
    generate.pipe(Command.provide(client)),
    edit.pipe(Command.provide(client)),
    batch(client, reviewed, catalogue, budgets, untilStopped),
    dead.pipe(Command.provide(client)),
    budget.pipe(Command.provide(budgets)),
    libraryCommand.pipe(
      Command.provide(
        checked(
          [...Live.databaseSettings, ...Live.mediaSettings, ...Provider.payloadsSettings],
          Layer.merge(Live.pictures, Provider.payloads)
        ).pipe(Layer.provideMerge(quiet))
      )
    ),
    why(traces),
    ledger.pipe(Command.provide(library)),
    reconcile(library, checked(["FAL_KEY", "FAL_ADMIN_KEY", "FAL_BASE_URL"], Provider.bills)),
    inspect.pipe(Command.provide(checked(brokerSettings, Live.fleet).pipe(Layer.provideMerge(quiet)))),
    consoleCommand(desk, consoleHttp, people, Logging.layer, untilStopped, pending),
    migrate(Migrations.migrate).pipe(
      Command.provide(checked(Live.databaseSettings, PostgresPg.layer).pipe(Layer.provideMerge(quiet)))
    ),
    falSimulator.pipe(Command.provide(untilStopped))
  ] as const
