import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import type { LibraryError } from "../../services/ModelLibrary.ts"
import * as flags from "./flags.ts"
import { print } from "./client.ts"
import { inJson } from "./outcome.ts"

/** The table and what came later; harmless to run again. */
export const migrate = <R>(run: Effect.Effect<ReadonlyArray<readonly [id: number, name: string]>, LibraryError, R>) =>
  Command.make("migrate", { json: flags.json }, ({ json }) =>
    Effect.gen(function* () {
      const done = (yield* run).map(([id, name]) => `${String(id).padStart(4, "0")}_${name}`)
      if (json) return yield* print({ migrated: done })
      if (done.length === 0) return yield* Console.log("nothing to do: the database is up to date")
      yield* Console.log(done.map((name) => `done: ${name}`).join("\n"))
    }).pipe(inJson(json, print))
  ).pipe(
    Command.withDescription("Create or update the tables model_library and model_ledger; changes nothing the second time"),
    Command.withExamples([{ command: "model-generator migrate", description: "Bring the database of DATABASE_URL up to date" }])
  )
