import { Option, Schema } from "effect"
import type { DeadLetter } from "../services/TaskQueue.ts"
import { type Latest, LifeEvent, type Lived, LONGEST, type Told } from "../services/TaskLives.ts"
import * as kombu from "../wire/kombu.ts"
import * as Text from "../wire/Text.ts"

/** A life is kept as a list of texts, one an event. */

/** What each costs beside its bytes, for the sum of all lives. */
export const OVERHEAD = 64

const encode = Schema.encodeSync(LifeEvent)
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(LifeEvent))
const sizeOf = (text: string) => Buffer.byteLength(text)

/** The longest words of an event, cut so that the whole is short enough. */
const bounded = (event: LifeEvent): string => {
  const text = JSON.stringify(encode(event))
  if (sizeOf(text) <= LONGEST) return text
  for (let most = 400; most > 0; most = Math.floor(most / 2)) {
    const shorter = Object.entries(event).map(([key, value]): [string, unknown] => [
      key,
      typeof value === "string" ? Text.shorten(value, Math.max(most, 3)) : value
    ])
    const text = JSON.stringify(Object.fromEntries(shorter))
    if (sizeOf(text) <= LONGEST) return text
  }
  return JSON.stringify({ _tag: event._tag })
}

/** Events of one kind that follow each other are counted; all others are kept one by one. */
const kindOf = (event: LifeEvent) => (event._tag === "Parked" ? `parked: ${Text.line(event.reason, 60)}` : "")

/** What a script appends: the kind, and on the next line the event. */
export const tellingOf = (event: LifeEvent) => `${kindOf(event)}\n${bounded(event)}`

/** The arguments of a script that may tell something. */
export const toldArguments = (told: Told | undefined) =>
  told === undefined ? { task: undefined, told: undefined } : { task: told.taskId, told: tellingOf(told.event) }

/** What burying a message tells; nothing where it does not say whose it is. */
export const burialOf = (raw: string, letter: DeadLetter, by: string): Told | undefined => {
  const taskId = kombu.taskIdOf(raw)
  return taskId === undefined ? undefined : { taskId, event: { _tag: "Buried", by, ...letter } }
}
/** What is told of a dead letter that leaves its list. */
export const exhumed = (letter: string, _tag: "Redriven" | "Dropped"): Told | undefined => {
  const taskId = kombu.letterTaskId(letter)
  return taskId === undefined ? undefined : { taskId, event: { _tag } }
}

/** One element of the list: its number among all events, how often it came, when first and last (Unix seconds), what was told. */
const element = /^(\d+) (\d+) (\S+) (\S+) ([^\n]*)\n/
export const partsOf = (text: string) => {
  const found = element.exec(text)
  if (found === null) return undefined
  const [whole, number, times, from, to, kind] = found
  return {
    number: Number(number),
    times: Number(times),
    from: Number(from),
    to: Number(to),
    kind: kind!,
    event: text.slice(whole.length)
  }
}

export const read = (texts: ReadonlyArray<string>): ReadonlyArray<Lived> => {
  let next = 1
  return texts.flatMap((text) => {
    const parts = partsOf(text)
    const event = Option.getOrUndefined(decode(parts?.event))
    if (parts === undefined || event === undefined) return []
    const { from, number, times, to } = parts
    const missing = Math.max(0, number - next)
    next = number + times
    return [{ event, times, missing, from: from * 1000, to: to * 1000 }]
  })
}

/** The last elements of lives. A life that has just been removed, or that only a newer version can read, is left out. */
export const latest = (ids: ReadonlyArray<string>, lasts: ReadonlyArray<string | null>): ReadonlyArray<Latest> =>
  ids.flatMap((taskId, at) => {
    const [last] = read(lasts[at] === null || lasts[at] === undefined ? [] : [lasts[at]])
    return last === undefined ? [] : [{ taskId, last }]
  })
