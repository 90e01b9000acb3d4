import { Option, Schema } from "effect"
import {
  attemptOf,
  Generated,
  Generation,
  Intended,
  isSameTask,
  ORPHANED,
  outweighs,
  rank,
  Submitted,
  type Unreadable
} from "../../services/Journal.ts"

/** Reading an entry's text, and deciding what may replace it. Both implementations keep entries as text and use these rules. */

const decode = Schema.decodeUnknownOption(Generation)
/** Every field that this version knows. What else an entry has came from a newer one, and is kept. */
const ours = new Set([Intended, Submitted, Generated].flatMap(({ fields }) => Object.keys(fields)))

const parse = (text: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** A request id that stands in a text which may be broken. */
const requestIdIn = (text: string) => /"requestId"\s*:\s*"([^"\\]{1,200})"/.exec(text)?.[1] ?? null

export const read = (text: string): Generation | Unreadable =>
  Option.getOrElse(decode(parse(text)), (): Unreadable => ({ _tag: "Unreadable", requestId: requestIdIn(text) }))

/** The entry's text when it says `next`: with what a newer version wrote into `stored`, where that is of the same generation. */
const written = (next: Generation, stored: string | null) => {
  const before = stored === null ? undefined : read(stored)
  const isSame = before !== undefined && before._tag !== "Unreadable" && attemptOf(before) === attemptOf(next)
  const newer = isSame ? Object.entries(parse(stored ?? "") ?? {}).filter(([key]) => !ours.has(key)) : []
  return JSON.stringify({ ...Object.fromEntries(newer), ...Schema.encodeSync(Generation)(next) })
}

/** The text to write (`null` removes the entry), or the reason why nothing may be changed. */
export type Change<Refusal> =
  | {
      readonly _tag: "Write"
      readonly entry: Generation | null
      readonly text: string | null
      /** Only if what it replaces is no longer in flight. */
      readonly ifEnded: boolean
    }
  | { readonly _tag: "Leave"; readonly why: Refusal }
const leave = <R>(why: R) => ({ _tag: "Leave", why }) as const
const write = (entry: Generation | null, stored: string | null, ifEnded = false) =>
  ({ _tag: "Write", entry, text: entry === null ? null : written(entry, stored), ifEnded }) as const

export const advance = (stored: string | null, next: Generation): Change<"known" | "superseded" | "taken"> => {
  if (stored === null) return write(next, stored)
  const before = read(stored)
  if (before._tag === "Unreadable") return leave("taken")
  const isSame = attemptOf(before) === attemptOf(next)
  // A picture is written once, and once more when it is stored; a request also when it is taken up again.
  const adds = before._tag === "Generated" ? rank(next) > rank(before) : outweighs(next, before)
  if (isSame && !adds) return leave("known")
  if (outweighs(next, before)) return write(next, stored)
  return leave(isSameTask(next, before) ? "superseded" : "taken")
}

export const intend = (stored: string | null, intent: Generation, repeats: Option.Option<Generation>): Change<"contended"> => {
  if (stored === null) return write(intent, stored)
  const before = read(stored)
  if (before._tag === "Unreadable") return leave("contended")
  if (!isSameTask(intent, before)) return write(intent, stored, true)
  const isOurs = attemptOf(before) === attemptOf(intent) && before._tag === "Intended"
  const isRepeated = Option.isSome(repeats) && attemptOf(before) === attemptOf(repeats.value) && outweighs(repeats.value, before)
  return isOurs || isRepeated ? write(intent, stored) : leave("contended")
}

export const withdraw = (stored: string | null, generation: Generation, before: Option.Option<Generation>): Change<"changed"> => {
  if (stored !== null) {
    const entry = read(stored)
    if (entry._tag === "Unreadable" || attemptOf(entry) !== attemptOf(generation)) return leave("changed")
    if (!outweighs(generation, entry)) return leave("changed")
  }
  return write(Option.getOrNull(before), stored)
}

/** Seconds an entry counts as in flight from now on; 0 when its request has ended. */
export const openFor = (entry: Generation | null, timeLimit: number) =>
  entry === null || entry._tag === "Generated" ? 0 : (entry.timeLimit ?? timeLimit) + ORPHANED
