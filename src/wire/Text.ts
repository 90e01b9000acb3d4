/** The text that a value is, which came from elsewhere and may be anything. */
export const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
/** The same; none when it is empty. */
export const nonEmptyOf = (value: unknown): string | undefined => (value === "" ? undefined : textOf(value))

const isHigh = (code: number) => code >= 0xd800 && code <= 0xdbff

/**
 * At most the first `longest` UTF-16 units of a text, and never half a character: Python cannot encode half a surrogate pair, so
 * a result with one in it raises UnicodeEncodeError where a client prints it. Halves that the text came with become U+FFFD.
 */
export const cut = (text: string, longest: number): string =>
  (text.length <= longest ? text : text.slice(0, isHigh(text.charCodeAt(longest - 1)) ? longest - 1 : longest)).toWellFormed()

/** The same, with "..." at the end of a text that was cut, within `longest`. */
export const shorten = (text: string, longest: number): string =>
  text.length <= longest ? cut(text, longest) : `${cut(text, longest - 3)}...`

/** For a terminal: what would move its cursor, colour it, or turn its writing round is shown as its number. */
export const printable = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`)

/** On one line: all white space in a row is one blank. Looks no further than a line of `longest` can need. */
export const line = (text: string, longest: number): string => cut(text.slice(0, longest * 4).replaceAll(/\s+/g, " "), longest)
