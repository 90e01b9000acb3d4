import { Option, Schema } from "effect"
import { Flag } from "effect/cli"
import * as Parameters from "../generation/tasks/Parameters.ts"

/**
 * Flags that commands share. Values are checked with the tasks' own schemas, so a wrong one is refused before anything is sent.
 */

export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print one JSON document and nothing else on standard output"),
  Flag.withoutNegation,
  Flag.withDefault(false)
)
export const wait = Flag.Boolean("wait").pipe(
  Flag.withDescription("Wait for the result, the default (--no-wait: only put the task on the queue)"),
  Flag.withDefault(true)
)
export const timeout = (seconds: number) =>
  Flag.Finite("timeout").pipe(
    Flag.withDescription(`How long to wait, in seconds (${seconds})`),
    Flag.withSchema(Schema.Finite.check(Schema.isBetween({ minimum: 0.1, maximum: 86_400 }))),
    Flag.withDefault(seconds)
  )
export const save = Flag.Boolean("save").pipe(
  Flag.withDescription("Save the picture in the library, the default (--no-save: make it only)"),
  Flag.withDefault(true)
)

const orNull = <A>(flag: Flag.Flag<A>): Flag.Flag<A | null> => Flag.map(Flag.optional(flag), Option.getOrNull)

export const seed = orNull(
  Flag.Int("seed").pipe(Flag.withDescription("The same seed and prompt give the same picture"), Flag.withSchema(Parameters.Seed))
)
export const version = orNull(
  Flag.Int("version").pipe(
    Flag.withDescription("The template's version (for a new picture: the next free one)"),
    Flag.withSchema(Parameters.Version)
  )
)
export const templateId = orNull(
  Flag.String("template-id").pipe(
    Flag.withDescription("The template (for a new picture: made from the five values)"),
    Flag.withSchema(Parameters.TemplateId)
  )
)
export const optional = orNull

/** The five values that make a model, one each. */
export const five = {
  gender: Flag.Literals("gender", Parameters.genders).pipe(Flag.withDescription("Who is shown")),
  ageRange: Flag.String("age-range").pipe(
    Flag.withDescription(`${Parameters.ageRanges.join(", ")} or any NN-NN of adults`),
    Flag.withSchema(Parameters.AgeRange)
  ),
  bodyType: Flag.Literals("body-type", Parameters.bodyTypes).pipe(Flag.withDescription("The build")),
  pose: Flag.Literals("pose", Parameters.poses).pipe(Flag.withDescription("How they stand")),
  style: Flag.Literals("style", Parameters.styles).pipe(Flag.withDescription("How it is photographed"))
}

/** Some values of one kind, separated by commas; null stands for all. */
const some = <S extends string>(name: string, values: string, schema: Schema.Codec<S, string>) =>
  orNull(
    Flag.String(name).pipe(
      Flag.withMetavar("a,b"),
      Flag.withDescription(`Only these, separated by commas: ${values}`),
      Flag.map((text): readonly [string, ...Array<string>] => {
        const [first = "", ...rest] = text.split(",").map((value) => value.trim())
        return [first, ...rest]
      }),
      Flag.withSchema(Schema.NonEmptyArray(schema))
    )
  )
export const filters = {
  gender: some("gender", Parameters.genders.join(", "), Parameters.Gender),
  age_range: some("age-range", `${Parameters.ageRanges.join(", ")} or any NN-NN of adults`, Parameters.AgeRange),
  body_type: some("body-type", Parameters.bodyTypes.join(", "), Parameters.BodyType),
  pose: some("pose", Parameters.poses.join(", "), Parameters.Pose),
  style: some("style", Parameters.styles.join(", "), Parameters.Style)
}
