import { Schema } from "effect"
import { Command, Flag } from "effect/cli"
import * as Parameters from "../generation/tasks/Parameters.ts"
import { performOne, print } from "./client.ts"
import * as flags from "./flags.ts"
import { inJson } from "./outcome.ts"

const metadata = flags.optional(
  Flag.String("metadata").pipe(
    Flag.withDescription("A JSON object to keep with the picture"),
    Flag.withMetavar("json"),
    Flag.withSchema(Schema.fromJsonString(Parameters.Metadata))
  )
)

/** One picture: sends `generate_model` and waits for its result. */
export const generate = Command.make(
  "generate",
  {
    ...flags.five,
    templateId: flags.templateId,
    version: flags.version,
    seed: flags.seed,
    metadata,
    save: flags.save,
    wait: flags.wait,
    timeout: flags.timeout(300),
    json: flags.json
  },
  (input) =>
    performOne(
      "generate_model",
      {
        template_id: input.templateId,
        gender: input.gender,
        age_range: input.ageRange,
        body_type: input.bodyType,
        pose: input.pose,
        style: input.style,
        version: input.version,
        seed: input.seed,
        save: input.save,
        metadata: input.metadata
      },
      input
    ).pipe(inJson(input.json, print))
).pipe(
  Command.withDescription("Have one model made: put generate_model on the queue and wait for the picture"),
  Command.withExamples([
    {
      command:
        'model-generator generate --gender female --age-range 20-30 --body-type average --pose "front standing" --style casual',
      description: "Make a picture and save it in the library"
    },
    {
      command:
        "model-generator generate --gender male --age-range 35-45 --body-type athletic --pose walking --style editorial --no-save --json",
      description: "Make one for a script, without saving it"
    }
  ])
)
