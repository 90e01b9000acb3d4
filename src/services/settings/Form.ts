import { Duration, Result } from "effect"
import * as NanoDollars from "../NanoDollars.ts"

/** How the text of a setting is read. What it fails with follows the setting's name, and never holds what a secret says. */
export interface Form<A> {
  readonly read: (text: string) => Result.Result<A, string>
  /** The text is not shown when it is wrong. */
  readonly secret: boolean
  /** Warnings about a text that can be read and may still be a mistake; shown in the log of a start. */
  readonly doubts?: (text: string) => ReadonlyArray<string>
}

/** No more of a wrong value is shown. */
const SHOWN = 60
const shown = (text: string) => {
  const open = text.replace(/\/\/[^/\s]*@/g, "//********@") // a password has no place in these, and may be there
  return JSON.stringify(open.length > SHOWN ? `${open.slice(0, SHOWN)}…` : open)
}

const form = <A>(expected: string, read: (text: string) => A | undefined): Form<A> => ({
  secret: false,
  read: (text) => {
    const value = read(text)
    return value === undefined ? Result.fail(`expects ${expected}, not ${shown(text)}`) : Result.succeed(value)
  }
})

/** A whole number as Python's `int` reads it, without its underscores. */
export const whole = (minimum: number, maximum: number): Form<number> =>
  form(`a whole number from ${minimum} to ${maximum}`, (text) => {
    const value = /^\+?\d+(\.0*)?$/.test(text) ? Number(text) : Number.NaN
    return value >= minimum && value <= maximum ? value : undefined
  })

/** Seconds as Python's `float` reads them. Neither a unit nor another base: what `5m` or `0x10` means is anybody's guess. */
export const seconds = (minimum: number, maximum: number): Form<Duration.Duration> =>
  form(`seconds, a number from ${minimum} to ${maximum} without a unit`, (text) => {
    const value = /^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
    return value >= minimum && value <= maximum ? Duration.seconds(value) : undefined
  })

/** US dollars as people write them. */
export const dollars: Form<NanoDollars.NanoDollars> = form("US dollars, such as 5 or 12.50", NanoDollars.parse)

/** One of these words, in any case. */
export const oneOf = <V>(values: Readonly<Record<string, V>>): Form<V> =>
  form(`one of ${Object.keys(values).join(", ")}`, (text) => {
    const word = text.toLowerCase()
    return Object.hasOwn(values, word) ? values[word] : undefined
  })

/** Celery's words for true and false, and their first letters. */
export const flag: Form<boolean> = oneOf({
  true: true,
  yes: true,
  on: true,
  1: true,
  y: true,
  false: false,
  no: false,
  off: false,
  0: false,
  n: false
})

export const matching = (pattern: RegExp, expected: string): Form<string> =>
  form(expected, (text) => (pattern.test(text) ? text : undefined))

export const anything: Form<string> = { secret: false, read: Result.succeed }

/** The value that `read` makes of the text; `undefined` where the text is not `expected`. */
export const custom: <A>(expected: string, read: (text: string) => A | undefined) => Form<A> = form

export const secret = <A>(
  read: (text: string) => Result.Result<A, string>,
  doubts?: (text: string) => ReadonlyArray<string>
): Form<A> => ({ secret: true, read, ...(doubts === undefined ? {} : { doubts }) })

export const map = <A, B>(self: Form<A>, f: (value: A) => B): Form<B> => ({
  ...self,
  read: (text) => Result.map(self.read(text), f)
})
