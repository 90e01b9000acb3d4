import { Clock, Effect, Equal, Option, Schedule, type Schema } from "effect"
import type { Ticket } from "../../../services/Generator.ts"
import {
  type Debt,
  type Generation,
  isSameTask,
  Journal,
  type JournalError,
  outweighs,
  type Unreadable
} from "../../../services/Journal.ts"
import { Vitals } from "../../../services/Vitals.ts"
import { explain } from "../../explain.ts"
import { JOURNAL_AWAY, type Task } from "../../task/Task.ts"
import { later } from "./retryLater.ts"

export type Intended = Extract<Generation, { readonly _tag: "Intended" }>
export type Submitted = Extract<Generation, { readonly _tag: "Submitted" }>
export type Generated = Extract<Generation, { readonly _tag: "Generated" }>

/** The task that a picture is bought for. */
export type Payer = Pick<Task, "id" | "rootId" | "caller" | "timeLimit" | "digest" | "knowledge">

export const away = (error: JournalError) =>
  later(JOURNAL_AWAY, `the journal cannot be reached (${error.operation})`, { counted: false })
export const contended = later("contended", "another worker has this generation in hand", { counted: false, atLeast: 5 })

/** A worker's vitals know whether the journal is away, so that it takes no other task meanwhile and says so. */
const tellWhether = (away: JournalError | undefined) =>
  Effect.gen(function* () {
    const vitals = yield* Effect.serviceOption(Vitals)
    if (Option.isNone(vitals)) return
    if (away === undefined) vitals.value.journalAway = undefined
    else vitals.value.journalAway ??= { why: explain(away), since: yield* Clock.currentTimeMillis }
    vitals.value.noticed.openUnsafe()
  })

/**
 * Losing a request id costs money, so a failed write is repeated until Redis answers. After the first try the task may be
 * interrupted: then the message itself carries what is known.
 */
const insisting = <A>(call: Effect.Effect<A, JournalError>) =>
  call.pipe(
    Effect.tapError(tellWhether),
    Effect.catch(() => {
      const again = Effect.retry(call, Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("1 second")]))
      return Effect.interruptible(Effect.delay(again, "100 millis")).pipe(Effect.tap(() => tellWhether(undefined)))
    })
  )

/** Bookkeeping that no answer waits for. It runs in the background and is retried while the journal is away. */
export const behind = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.asVoid(Effect.forkDetach(Effect.ignore(Effect.timeout(call, "10 minutes")), { startImmediately: true }))

const hasRequest = (known: Generation | undefined) => known !== undefined && known._tag !== "Intended"

/**
 * What is known of this task's generation: the journal's entry or the task's own knowledge, whichever outweighs the other. A task
 * that knows its request id works without the journal.
 */
export const find = Effect.fnUntraced(function* (
  payer: Payer
): Effect.fn.Return<Generation | Unreadable | undefined, ReturnType<typeof away>, Journal> {
  const journal = yield* Journal
  const known = payer.knowledge.generation ?? undefined
  const before = yield* Clock.currentTimeMillis
  const asked = yield* Effect.result(journal.find(payer.id))
  // A picture is paid for, and its reservation is settled by what the journal has of it.
  const writeBehind = (generation: Generation) => behind(insisting(journal.advance(payer.id, generation)))
  if (asked._tag === "Failure") {
    if (known === undefined || !hasRequest(known)) return yield* away(asked.failure)
    if (known._tag === "Generated") yield* writeBehind(known)
    return known
  }
  // At the most, so that a grace is never taken for shorter than it is.
  payer.knowledge.ahead = Math.round(asked.success.now - before)
  const stored = Option.getOrUndefined(asked.success.entry)
  if (stored === undefined) return known
  // An intent alone is not enough to go on with: its outcome could not be written.
  if (stored._tag === "Unreadable") return hasRequest(known) ? known : stored
  payer.knowledge.another = !isSameTask(stored, { digest: payer.digest() })
  if (payer.knowledge.another) return known
  if (known !== undefined && outweighs(known, stored) && !outweighs(stored, known)) {
    if (known._tag === "Generated") yield* writeBehind(known)
    return known
  }
  payer.knowledge.generation = stored
  return stored
})

/** The journal's clock, estimated from its last answer (Unix milliseconds). */
export const now = (payer: Payer) => Effect.map(Clock.currentTimeMillis, (own) => Math.round(own) + payer.knowledge.ahead)

/**
 * Writes how far a generation has got, and remembers it whatever the journal says. Fails when another one of the same task is
 * written that knows more. `true` when it was we who wrote it, also where an answer was lost the first time.
 */
export const advance = Effect.fnUntraced(function* (payer: Payer, next: Generation) {
  const journal = yield* Journal
  payer.knowledge.generation = next
  let asked = 0
  const answer = yield* insisting(
    Effect.suspend(() => {
      asked++
      return journal.advance(payer.id, next)
    })
  ).pipe(Effect.mapError(away))
  switch (answer) {
    case "written":
      return true
    case "known":
      return asked > 1 && Equal.equals((yield* Effect.mapError(journal.find(payer.id), away)).entry, Option.some(next))
    case "taken":
      yield* Effect.logWarning("the journal has no place for a generation: its task's id is used again, or its entry is broken", {
        taskId: payer.id,
        requestId: "requestId" in next ? next.requestId : null
      })
      return true
    case "superseded":
      if ("requestId" in next)
        yield* Effect.logError("a request that fal accepted is given up: another was made for the same task meanwhile", {
          taskId: payer.id,
          requestId: next.requestId
        })
      return yield* contended
  }
})

/**
 * The task waits for its request again: it counts as in flight once more. If that cannot be written the task waits for it all the
 * same.
 */
export const renew = Effect.fnUntraced(function* (payer: Payer, known: Submitted) {
  const journal = yield* Journal
  payer.knowledge.generation = known
  const answer = yield* Effect.option(journal.advance(payer.id, known))
  if (Option.isSome(answer) && answer.value === "superseded") return yield* contended
})

/** This generation has certainly cost nothing: the entry that was there before it is restored. */
export const withdraw = (payer: Payer, generation: Generation, before: Generation | undefined) =>
  Effect.flatMap(Journal, (journal) => {
    payer.knowledge.generation = before ?? null
    return Effect.mapError(insisting(journal.withdraw(payer.id, generation, Option.fromNullishOr(before))), away)
  })

/**
 * The request no longer counts as in flight, and what was reserved for it is settled. If this write fails, the entry expires by
 * itself. Another task's entry under this id stays.
 */
export const close = ({ id, knowledge }: Payer) =>
  knowledge.another && !knowledge.generation
    ? Effect.void
    : Effect.flatMap(Journal, (journal) => behind(insisting(journal.close(id, knowledge.settled))))

/** Keeps a debt. It is written before the task ends, so until Redis answers the task does not end. */
export const owe = (debt: Debt) => Effect.flatMap(Journal, (journal) => Effect.mapError(insisting(journal.owe(debt)), away))

export const ticketOf = ({ endpoint, paths, requestId }: Submitted | Generated): Ticket => ({
  endpoint,
  requestId,
  ...(paths === undefined ? {} : { paths })
})

/** Longer input values are not kept (characters of JSON), for example a source picture sent as a data URI. */
const LONGEST = 4096
const isShort = (value: Schema.Json) => JSON.stringify(value).length <= LONGEST

/** The part of the input that is kept in the journal for a week. */
export const kept = (input: Schema.JsonObject): Pick<Intended, "input" | "cut"> => {
  const short = Object.entries(input).filter(([, value]) => isShort(value))
  return { input: Object.fromEntries(short), ...(short.length === Object.keys(input).length ? {} : { cut: true }) }
}
export const noted = (note: Schema.JsonObject | undefined): Pick<Intended, "note"> =>
  note !== undefined && isShort(note) ? { note } : {}
