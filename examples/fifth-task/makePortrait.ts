import { Effect, Schema } from "effect"
import { payOnce, buying } from "../../src/programs/generation/purchase/payOnce.ts"
import * as Arguments from "../../src/programs/generation/tasks/Arguments.ts"
import { anySeed } from "../../src/programs/generation/tasks/generateModel.ts"
import * as Parameters from "../../src/programs/generation/tasks/Parameters.ts"
import type { Task } from "../../src/programs/task/Task.ts"
import { PORTRAIT } from "../../src/services/Catalogue.ts"

/** `make_portrait(mood, seed=None)`: a picture of a face, which is paid for once and saved nowhere. */
const Request = Schema.Struct({
  mood: Schema.Literals(["calm", "happy"]),
  seed: Arguments.optional(Parameters.Seed)
})
/** The order in which a client may give them without names. */
const names = ["mood", "seed"]

const run = Effect.fn("task.make_portrait")(function* (task: Task) {
  const { mood, seed } = yield* Arguments.bind(Request, names, task)
  const wanted = Effect.map(seed === null ? anySeed : Effect.succeed(seed), (chosen) => ({
    request: { _tag: "Generate" as const, prompt: `portrait of a fashion model, ${mood}`, seed: chosen, size: PORTRAIT },
    note: undefined
  }))
  const { picture, requestId } = yield* payOnce(task, wanted, Effect.void)
  return { value: { status: "completed", image_url: picture.url, fal_request_id: requestId }, children: [] }
})

export const makePortrait = { ...buying, name: "make_portrait", run }
