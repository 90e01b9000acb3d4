import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Live from "./layers/Live.ts"
import * as Logging from "./layers/Logging.ts"
import * as Migrations from "./layers/Migrations.ts"
import * as PostgresPg from "./layers/PostgresPg.ts"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { VERSION } from "./programs/version.ts"
import { worker } from "./programs/worker/worker.ts"
import * as Settings from "./services/Settings.ts"

const workerCommand = Command.make("worker", {}, () =>
  Effect.andThen(Settings.check(Settings.names), Effect.scoped(worker).pipe(Effect.provide(Live.worker)))
)
const migrateCommand = Command.make("migrate", {}, () =>
  Effect.andThen(
    Settings.check(Live.databaseSettings),
    Effect.provide(
      Effect.tap(Migrations.migrate, (done) => Effect.logInfo("migrated", done)),
      PostgresPg.layer
    )
  )
)

Command.make("model-generator").pipe(
  Command.withSubcommands([workerCommand, migrateCommand]),
  Command.run({ version: VERSION }),
  Effect.provide([NodeServices.layer, Logging.layer]),
  NodeRuntime.runMain
)
