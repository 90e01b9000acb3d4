import { Effect, Schema } from "effect"
import * as Text from "../../wire/Text.ts"
import { MAX_REVOKED } from "../../services/Fleet.ts"
import * as Bounded from "../../wire/Bounded.ts"
import { pythonRepr } from "../celery/pythonRepr.ts"

/** A command that cannot be done, in the words Python has for it: who asked reads `repr(exception)`. */
export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", { exception: Schema.String, text: Schema.String }) {
  get repr() {
    return `${this.exception}(${pythonRepr(this.text)})`
  }
}
export const refuse = (exception: string, text: string) => new Refusal({ exception, text: Text.cut(text, 1000) })

export const ok = (value: string) => ({ ok: value })
export const nok = (value: string) => ({ error: value })

/** A command that gets no reply at all, as Celery does it. */
export const SILENCE = Symbol("no reply")

type Arguments = Readonly<Record<string, unknown>>

export interface Command {
  readonly name: string
  readonly run: (given: Arguments) => Effect.Effect<unknown, Refusal>
}

const listed = (names: ReadonlyArray<string>) => {
  const quoted = names.map((name) => `'${name}'`)
  if (quoted.length < 3) return quoted.join(" and ")
  return `${quoted.slice(0, -1).join(", ")}, and ${quoted.at(-1)}`
}

/** A command whose arguments are read by a schema. Arguments it does not know are ignored, as Celery's `**kwargs` are. */
export const command = <A>(
  name: string,
  needs: ReadonlyArray<string>,
  schema: Schema.Codec<A, unknown>,
  run: (given: A) => Effect.Effect<unknown, Refusal>
): Command => ({
  name,
  run: Effect.fnUntraced(function* (given) {
    const missing = needs.filter((need) => !(need in given))
    if (missing.length > 0) {
      const what = missing.length === 1 ? "argument" : "arguments"
      return yield* refuse("TypeError", `${name}() missing ${missing.length} required positional ${what}: ${listed(missing)}`)
    }
    const read = yield* Schema.decodeEffect(schema)(given).pipe(
      Effect.mapError(({ message }) => refuse("TypeError", `${name}(): ${Text.line(message, 300)}`))
    )
    return yield* run(read)
  })
})

/** As many as a worker remembers at most. */
const Strings = Bounded.list(Schema.String, MAX_REVOKED)
/** One text, or a list of texts. */
export const Some = Schema.Union([Schema.String, Strings])
/** The longest task id, stamp or other name (characters): a longer one is no person's and is refused before it is kept. */
export const LONGEST_NAME = 1000
export const named = Effect.fnUntraced(function* (argument: string, names: ReadonlyArray<string>) {
  const long = names.find((name) => name.length > LONGEST_NAME)
  if (long !== undefined)
    return yield* refuse("ValueError", `${argument}: ${long.length} characters, expected at most ${LONGEST_NAME}`)
  return names
})
export const list = (some: string | ReadonlyArray<string> | null | undefined): ReadonlyArray<string> =>
  some === null || some === undefined ? [] : typeof some === "string" ? [some] : some
/** A number, also as the text a shell gives. */
export const Count = Schema.Union([Schema.Int, Schema.FiniteFromString.check(Schema.isInt())])
export const None = Schema.Struct({})
