import { Effect, Schema, SchemaIssue } from "effect"
import * as PythonJson from "../../../wire/PythonJson.ts"
import * as Text from "../../../wire/Text.ts"
import { pythonRepr } from "../../celery/pythonRepr.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import type { Call } from "../../task/Task.ts"

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const say = (message: string) =>
  message === "Missing key"
    ? "is missing"
    : message === "Expected no excess property"
      ? "is not an argument of this task"
      : message.replace(/^Expected/, "expected")

/** The value that came, for an error text: the beginning of a text, and nothing of an address, which may hold a secret. */
const shown = (value: unknown): string => {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (isRecord(value)) return `a dict of ${Object.keys(value).length}`
  if (typeof value !== "string") return Text.shorten(pythonRepr(value), 40)
  if (/^data:|:\/\//.test(value.slice(0, 100))) return `a URL of ${value.length} characters`
  return pythonRepr(Text.shorten(value, 40)) + (value.length > 40 ? ` (${value.length} characters)` : "")
}

const at = (input: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined, // its own key
    input
  )

const standard = SchemaIssue.makeFormatterStandardSchemaV1()
const describe = (error: Schema.SchemaError, input: unknown) =>
  standard(error.issue)
    .issues.slice(0, 20)
    .map(({ message, path }) => {
      const keys = (path ?? []).map((key) => (typeof key === "object" ? key.key : key))
      const came = at(input, keys)
      const instead = message.startsWith("Expected no") || came === undefined ? "" : `, got ${shown(came)}`
      return `${Text.cut(keys.map(String).join("."), 200)}: ${say(message)}${instead}`
    })
    .join("; ")

/** No task has more arguments: a call with more is refused by their number alone. */
const MOST_ARGUMENTS = 100
/**
 * For a call with more values than this only the first problem is reported: finding all would take longer than running the task.
 */
const MOST_CHECKED = 20_000
const sizeOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? Object.values(value).reduce((sum: number, one) => sum + sizeOf(one), 1) : 1

/**
 * The arguments under their names, from keywords, positions, or one dict as the only positional argument; kombu's extended
 * types become text. `firstIsDict` says that the first argument may itself be a dict: then a lone dict is the arguments
 * only when it has no other keys. Fails with a `ValidationError` that names every bad argument.
 */
export const bind = Effect.fnUntraced(function* <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  names: ReadonlyArray<string>,
  call: Call,
  options: { readonly firstIsDict: boolean } = { firstIsDict: false }
) {
  const { args, kwargs } = call
  const lone = args.length === 1 ? args[0] : undefined
  const loneIsArguments =
    isRecord(lone) &&
    (!options.firstIsDict || (Object.keys(kwargs).length === 0 && Object.keys(lone).every((key) => names.includes(key))))
  const positional = loneIsArguments ? [] : args
  if (positional.length > names.length) {
    return yield* TaskFailure.validationError(
      `args: expected at most ${names.length} positional arguments, got ${positional.length}`
    )
  }
  const placed = [
    ...positional.map((value, at) => [names[at]!, value] as const),
    ...(loneIsArguments ? Object.entries(lone) : [])
  ]
  const count = placed.length + Object.keys(kwargs).length
  if (count > MOST_ARGUMENTS)
    return yield* TaskFailure.validationError(`args: expected at most ${names.length} arguments, got ${count}`)
  const twice = placed.flatMap(([name]) => (Object.hasOwn(kwargs, name) ? [`${Text.cut(name, 200)}: given twice`] : []))
  if (twice.length > 0) return yield* TaskFailure.validationError(twice.slice(0, 20).join("; "))

  const named: Array<readonly [string, unknown]> = []
  for (const [name, value] of [...placed, ...Object.entries(kwargs)]) {
    named.push([
      name,
      yield* Effect.try({
        try: () => PythonJson.plain(value),
        catch: (error) =>
          TaskFailure.validationError(`${Text.cut(name, 200)}: ${error instanceof Error ? error.message : String(error)}`)
      })
    ])
  }
  const input = Object.fromEntries(named)
  const errors = sizeOf(input) > MOST_CHECKED ? "first" : "all"
  return yield* Schema.decodeEffect(schema, { errors, onExcessProperty: "error" })(input).pipe(
    Effect.mapError((error) => TaskFailure.validationError(describe(error, input)))
  )
})

/** An argument that may be left out or null; both mean `fallback`. */
export const optional = <A, E>(schema: Schema.Codec<A, E>) =>
  Schema.NullOr(schema).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))
export const flag = (fallback: boolean) => Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(fallback)))
