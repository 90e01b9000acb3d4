/** Pictures on a stage: asked for, in flight, and what must be true when all is over. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, message, uniqueId } from "../support.ts"
import type { makeStage } from "./stage.ts"

export type Stage = Effect.Success<ReturnType<typeof makeStage>>

export const five = { gender: "female", age_range: "25-35", body_type: "average", pose: "front standing", style: "professional" }
export const ask = (id: string) => message({ id, task: "generate_model", kwargs: five })

/** A task whose picture fal is making at this moment, its request id written down. */
export const inFlight = Effect.fnUntraced(function* (stage: Stage) {
  const id = uniqueId("picture")
  yield* stage.push(ask(id))
  yield* eventually(
    "the request id is in the journal",
    Effect.promise(() => stage.raw.broker.get(`model-generator.journal:${id}`)),
    (entry) => entry?.includes('"Submitted"') === true
  )
  return id
})

/** So many pictures were paid, each saved in a row of its own, and no message is anywhere. */
export const paidAndSaved = Effect.fnUntraced(function* (stage: Stage, count: number) {
  assert.strictEqual((yield* stage.fal.ledger).length, count)
  assert.strictEqual((yield* stage.models).length, count)
  yield* eventually(
    "nothing is left",
    stage.left,
    ({ dead, indexed, queued, unacked }) => dead + indexed + queued + unacked === 0
  )
})
