import { assert } from "@effect/vitest"
import { Effect, Result, type Schema } from "effect"
import * as Arguments from "../../src/programs/generation/tasks/Arguments.ts"
import * as Batch from "../../src/programs/generation/tasks/batchGenerate.ts"
import * as Edit from "../../src/programs/generation/tasks/editModel.ts"
import * as Generate from "../../src/programs/generation/tasks/generateModel.ts"
import { five } from "../programs/world.ts"
import type { Dice } from "../simulation/Dice.ts"
import { checkFailure } from "./checks.ts"
import { Hostile } from "./Hostile.ts"

const generated = { ...five, template_id: "t", version: 2, seed: 7, save: false, metadata: { a: [1, { b: "c" }] } }
const model = { id: "m", template_id: "t", version: 1, image_url: "https://x/y.jpg", ...five }
const forms: ReadonlyArray<{
  readonly schema: Schema.ConstraintDecoder<unknown>
  readonly names: ReadonlyArray<string>
  readonly good: Readonly<Record<string, unknown>>
}> = [
  { schema: Generate.Request, names: Generate.names, good: generated },
  { schema: Edit.Request, names: Edit.names, good: { model, prompt: "p", strength: 0.5, seed: 1, save: true } },
  { schema: Batch.Request, names: Batch.names, good: { count: 5, seed: 3, gender: ["male"], pose: "side" } },
  { schema: Batch.Request, names: Batch.names, good: { templates: [generated, generated], missing_only: false } }
]

/** Arguments are understood, or each problem is told in few words. */
export const argumentsTarget = Effect.fnUntraced(function* (dice: Dice) {
  const hostile = new Hostile(dice)
  const { good, names, schema } = dice.pick(forms)
  const bad = hostile.mutated(good)
  const kwargs =
    typeof bad === "object" && bad !== null && !Array.isArray(bad) ? (bad as Record<string, unknown>) : { model: bad }
  const call = dice.pick([
    { args: [], kwargs },
    { args: [kwargs], kwargs: {} },
    { args: Object.values(kwargs), kwargs: {} }
  ])
  const bound = yield* Effect.result(
    Arguments.bind(schema, names, call, { firstIsDict: dice.chance(0.5) }) as Effect.Effect<unknown, never>
  )
  if (Result.isSuccess(bound)) return
  const failure: Parameters<typeof checkFailure>[0] = bound.failure
  assert.strictEqual(failure.type, "ValidationError")
  checkFailure(failure)
})
