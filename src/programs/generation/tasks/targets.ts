import { Effect, FileSystem, Option, Schema } from "effect"
import * as Settings from "../../../services/Settings.ts"
import * as Parameters from "./Parameters.ts"

/** The file of LIBRARY_TARGETS cannot be used. */
export class BadTargets extends Schema.TaggedError<BadTargets>()("BadTargets", { file: Schema.String, problem: Schema.String }) {
  override get message() {
    return `LIBRARY_TARGETS (${this.file}): ${this.problem}`
  }
}

const oneOrMore = <A extends string>(value: Schema.Codec<A>) => Schema.optionalKey(Schema.Union([value, Schema.Array(value)]))
const Rule = Schema.Struct({
  gender: oneOrMore(Parameters.Gender),
  age_range: oneOrMore(Schema.Literals(Parameters.ageRanges)),
  body_type: oneOrMore(Parameters.BodyType),
  pose: oneOrMore(Parameters.Pose),
  style: oneOrMore(Parameters.Style),
  wanted: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
})
type Rule = typeof Rule.Type
const decode = Schema.decodeEffect(Schema.fromJsonString(Schema.Array(Rule)), { errors: "all", onExcessProperty: "error" })

const keys = ["gender", "age_range", "body_type", "pose", "style"] as const
const isFor = (rule: Rule, five: Parameters.Five) =>
  keys.every((key) => {
    const values: string | ReadonlyArray<string> | undefined = rule[key]
    return values === undefined || [values].flat().includes(five[key])
  })

/** How many approved pictures of a combination are wanted. */
export type Targets = (five: Parameters.Five) => number

/**
 * LIBRARY_TARGET of each combination, but for those that a rule of the file LIBRARY_TARGETS is for, of which the last one counts. The
 * file is read each time, so that a change of it holds at once.
 */
export const targets: Effect.Effect<Targets, BadTargets, FileSystem.FileSystem> = Effect.gen(function* () {
  const settings = yield* Effect.orDie(Settings.of("LIBRARY_TARGET", "LIBRARY_TARGETS")) // a command checks its settings first
  const file = Option.getOrUndefined(settings.LIBRARY_TARGETS)
  if (file === undefined) return (): number => settings.LIBRARY_TARGET
  const fs = yield* FileSystem.FileSystem
  const rules = yield* fs.readFileString(file).pipe(
    Effect.flatMap(decode),
    Effect.mapError(({ message }) => new BadTargets({ file, problem: message }))
  )
  return (five: Parameters.Five) => rules.findLast((rule) => isFor(rule, five))?.wanted ?? settings.LIBRARY_TARGET
})
