import { Effect, Equal, Option, Schedule } from "effect"
import { type Generation, Journal, type JournalError } from "../../services/Journal.ts"
import type { Ticket } from "../../services/Generator.ts"
import { later } from "./putOff.ts"

export type Intended = Extract<Generation, { readonly _tag: "Intended" }>
export type Submitted = Extract<Generation, { readonly _tag: "Submitted" }>
export type Generated = Extract<Generation, { readonly _tag: "Generated" }>

export const away = (error: JournalError) =>
  later("journal", `the journal cannot be reached (${error.operation})`, { counted: false })
export const contended = later("contended", "another worker has this generation in hand", { counted: false, atLeast: 5 })

// Losing a request id costs money, so Redis is asked for as long as it takes.
const insisting = <A>(call: Effect.Effect<A, JournalError>) =>
  Effect.retry(call, Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")]))

/** What the journal knows of this task's generation. */
export const find = Effect.fnUntraced(function* (taskId: string) {
  const journal = yield* Journal
  return Option.getOrUndefined(yield* Effect.mapError(journal.find(taskId), away))
})

/**
 * Writes `to` in the place of `from`; `undefined` is no entry. Fails, with nothing changed, when another hand was faster. Our own
 * hand is none, whose answer was lost the first time.
 */
export const advance = Effect.fnUntraced(function* (taskId: string, from: Generation | undefined, to: Generation | undefined) {
  const journal = yield* Journal
  const next = Option.fromNullishOr(to)
  let asked = 0
  const move = Effect.suspend(() => {
    asked++
    return journal.advance(taskId, Option.fromNullishOr(from), next)
  })
  const moved = yield* Effect.mapError(insisting(move), away)
  if (moved || (asked > 1 && Equal.equals(Option.fromNullishOr(yield* find(taskId)), next))) return
  return yield* contended
})

/** It has ended and no longer counts as in flight. That it may have to run out instead is no reason to fail. */
export const close = Effect.fnUntraced(function* (taskId: string) {
  const journal = yield* Journal
  yield* Effect.ignore(insisting(journal.close(taskId)))
})

export const ticketOf = ({ endpoint, paths, requestId }: Submitted): Ticket => ({
  endpoint,
  requestId,
  ...(paths === undefined ? {} : { paths })
})
