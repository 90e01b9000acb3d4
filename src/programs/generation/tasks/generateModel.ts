import { Effect, Option, Random, Schema } from "effect"
import { PORTRAIT } from "../../../services/Catalogue.ts"
import { ModelLibrary } from "../../../services/ModelLibrary.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import type { Task } from "../../task/Task.ts"
import * as Arguments from "./Arguments.ts"
import { maySave } from "./libraryCircuit.ts"
import * as Parameters from "./Parameters.ts"
import { buying, payOnce } from "../purchase/payOnce.ts"
import { asking, deliver, resultOf } from "./saving.ts"

export const Request = Schema.Struct({
  template_id: Arguments.optional(Parameters.TemplateId),
  ...Parameters.five,
  version: Arguments.optional(Parameters.Version),
  seed: Arguments.optional(Parameters.Seed),
  save: Arguments.flag(true),
  metadata: Arguments.optional(Parameters.Metadata)
})
export const names = ["template_id", "gender", "age_range", "body_type", "pose", "style", "version", "seed", "save", "metadata"]

/** A fresh seed: unique enough to find the request by in fal's history, and within what every client's integers hold. */
export const anySeed = Random.nextIntBetween(0, 2_147_483_647)

const run = Effect.fn("task.generate_model")(function* (task: Task) {
  const request = yield* Arguments.bind(Request, names, task)
  const library = yield* ModelLibrary
  const templateId = request.template_id ?? Parameters.templateIdOf(request)
  const prompt = Parameters.promptOf(request)

  const beforePaying = Effect.gen(function* () {
    if (!request.save) return
    yield* maySave
    if (request.version === null) return
    const existing = yield* asking(library.find({ templateId, version: request.version }))
    if (Option.isSome(existing))
      return yield* TaskFailure.versionExists(`version: ${templateId} has a version ${request.version} already`)
  })
  const wanted = Effect.map(request.seed === null ? anySeed : Effect.succeed(request.seed), (seed) => ({
    request: { _tag: "Generate" as const, prompt, seed, size: PORTRAIT },
    note: undefined
  }))
  const bought = yield* payOnce(task, wanted, beforePaying)
  const about = {
    templateId,
    version: request.version,
    gender: request.gender,
    ageRange: request.age_range,
    bodyType: request.body_type,
    pose: request.pose,
    style: request.style,
    prompt,
    metadata: request.metadata
  }
  const model = yield* deliver(task, bought, Effect.succeed(about), request.save)
  return { value: resultOf(bought, model, request.version), children: [] }
})

export const generateModel = { ...buying, name: "generate_model", run }
