import { Effect } from "effect"
import { builtin } from "./celery/builtin.ts"
import { batchGenerate } from "./generation/batch.ts"
import { editModel } from "./generation/edit.ts"
import { generateModel } from "./generation/generate.ts"
import { makeHealthCheck } from "./generation/health.ts"
import type { Program } from "./Task.ts"

/** The tasks this worker runs, each under its short name, `app.tasks.<name>` and `tasks.<name>`. */
export const makeRegistry = Effect.gen(function* () {
  const programs = [generateModel, batchGenerate, editModel, yield* makeHealthCheck] as const
  type Needs = (typeof programs)[number] extends { readonly run: (task: never) => Effect.Effect<unknown, unknown, infer R> }
    ? R
    : never
  const byName = new Map<string, Program<Needs>>()
  for (const program of programs) {
    for (const alias of [program.name, `app.tasks.${program.name}`, `tasks.${program.name}`]) byName.set(alias, program)
  }
  for (const program of builtin) byName.set(program.name, program)
  return byName
})
