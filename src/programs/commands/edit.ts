import { Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import * as Parameters from "../generation/tasks/Parameters.ts"
import { performOne, print } from "./client.ts"
import * as flags from "./flags.ts"
import { inJson, WrongUse } from "./outcome.ts"

const modelId = flags.optional(
  Flag.String("model-id").pipe(
    Flag.withDescription("The picture's id in the library"),
    Flag.withSchema(Schema.NonEmptyString.check(Schema.isMaxLength(100)))
  )
)
const strength = flags.optional(
  Flag.Finite("strength").pipe(
    Flag.withDescription("How far from the picture, 0.01 to 1"),
    Flag.withSchema(Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1 })))
  )
)

/** Another version of a picture in the library: enqueues `edit_model` and waits for it. */
export const edit = Command.make(
  "edit",
  {
    modelId,
    templateId: flags.templateId,
    version: flags.version,
    prompt: Flag.String("prompt").pipe(Flag.withDescription("What to change"), Flag.withSchema(Parameters.Prompt)),
    strength,
    seed: flags.seed,
    save: flags.save,
    wait: flags.wait,
    timeout: flags.timeout(300),
    json: flags.json
  },
  (input) =>
    Effect.gen(function* () {
      if ((input.modelId === null) === (input.templateId === null))
        return yield* new WrongUse({ message: "exactly one of --model-id and --template-id says which picture to edit" })
      if (input.version !== null && input.templateId === null)
        return yield* new WrongUse({ message: "--version goes with --template-id only" })
      yield* performOne(
        "edit_model",
        {
          model_id: input.modelId,
          template_id: input.templateId,
          version: input.version,
          prompt: input.prompt,
          strength: input.strength,
          seed: input.seed,
          save: input.save
        },
        input
      )
    }).pipe(inJson(input.json, print))
).pipe(
  Command.withDescription("Have a picture of the library edited, and saved as its template's next version"),
  Command.withExamples([
    {
      command:
        'model-generator edit --template-id female_20-30_average_front-standing_casual --prompt "the same person in a red coat"',
      description: "Edit a template's newest version"
    }
  ])
)
