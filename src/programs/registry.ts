import { Effect } from "effect"
import { builtin } from "./task/builtin.ts"
import { batchGenerate } from "./generation/tasks/batchGenerate.ts"
import { editModel } from "./generation/tasks/editModel.ts"
import { generateModel } from "./generation/tasks/generateModel.ts"
import { makeHealthCheck } from "./generation/tasks/healthCheck.ts"
import type { Program } from "./task/Task.ts"

/**
 * The programs by every name they answer to: `<name>`, `app.tasks.<name>` and `tasks.<name>`; Celery's own tasks by theirs alone.
 */
export const registryOf = <R>(programs: ReadonlyArray<Program<R>>): ReadonlyMap<string, Program<R>> =>
  new Map([
    ...programs.flatMap((program) =>
      [program.name, `app.tasks.${program.name}`, `tasks.${program.name}`].map((alias) => [alias, program] as const)
    ),
    ...builtin.map((program) => [program.name, program] as const)
  ])

/** The tasks this worker runs. */
export const makeRegistry = Effect.gen(function* () {
  const programs = [generateModel, batchGenerate, editModel, yield* makeHealthCheck] as const
  type Needs = (typeof programs)[number] extends { readonly run: (task: never) => Effect.Effect<unknown, unknown, infer R> }
    ? R
    : never
  return registryOf<Needs>(programs)
})
