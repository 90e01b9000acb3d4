import { Console, Effect, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import { join } from "node:path"
import { type Exported, exportTo, listInto } from "../media/exportTo.ts"
import { print } from "./client.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { rows, selection } from "./librarySelection.ts"
import { Failed, inJson } from "./outcome.ts"

/** The list of what was exported, beside the pictures. */
const LIST = "library.jsonl"

export const exportCommand = Command.make(
  "export",
  {
    folder: Argument.String("folder").pipe(Argument.withDescription("Where the pictures are written; made if it is not there")),
    ...selection,
    json: flags.json
  },
  ({ folder, json, ...input }) =>
    Effect.gen(function* () {
      const counts = { exported: 0, there: 0, failed: 0 }
      const failures: Array<{ readonly id: string; readonly image_url: string; readonly why: string }> = []
      const told = () => `${counts.exported} written, ${counts.there} there already, ${counts.failed} failed`
      yield* Effect.scoped(
        Effect.gen(function* () {
          const display = yield* Display.make(() => [told()])
          const note = (one: Exported) => {
            counts[one._tag === "Exported" ? "exported" : one._tag === "There" ? "there" : "failed"]++
            if (one._tag !== "Failed") return Effect.void
            failures.push({ id: one.row.id, image_url: one.row.imageUrl, why: one.why })
            return json ? Effect.void : display.line(`${one.row.id}: ${one.why}`)
          }
          yield* listInto(join(folder, LIST), Stream.tap(exportTo(folder, rows(input)), note)).pipe(
            Effect.catchTag("PlatformError", ({ message }) =>
              Effect.fail(new Failed({ message: `the folder cannot be written: ${message}` }))
            )
          )
        })
      )
      yield* json ? print({ ...counts, failures }) : Console.log(`${told()}; listed in ${join(folder, LIST)}`)
      if (counts.failed > 0) return yield* new Failed({ message: "some pictures could not be had: run it again" })
    }).pipe(inJson(json, print))
).pipe(
  Command.withDescription(
    `Write pictures into a folder, with their rows in ${LIST}. May be broken off and run again: it goes on where it was`
  )
)
