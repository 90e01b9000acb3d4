import { Effect, Option, Schema } from "effect"
import { createHash } from "node:crypto"
import type { OverBudget } from "../../services/Budget.ts"
import { attemptOf, Debt, type Generation, Journal, JournalError, type State } from "../../services/Journal.ts"
import type { NanoDollars } from "../../services/NanoDollars.ts"
import type { LifeEvent, Told } from "../../services/TaskLives.ts"
import { type Money, moneyOf, warn, type Warning } from "./money.ts"
import * as Rules from "./rules.ts"

/** Another worker may write between a look and the write that follows from it, but not this many times. */
const TRIES = 20
/** A process remembers the texts of this many tasks at most, those written last: twice as many as it can run at once. */
const REMEMBERED = 1024

/** An entry's text, `null` where there is none, and what names that text. */
interface Page {
  readonly text: string | null
  readonly print: string
  /** Whether this process wrote it; otherwise it has read it. */
  readonly isOurs: boolean
}
const EMPTY: Page = { text: null, print: "", isOurs: true }
const readDebt = Schema.decodeUnknownOption(Schema.fromJsonString(Debt))
export const printOf = (text: string) => createHash("sha1").update(text).digest("hex")

/** An entry to write, and the text that it replaces. */
export interface Write {
  /** The print of the text that must be there. */
  readonly expected: string
  /** `null` removes the entry. */
  readonly text: string | null
  readonly state: State | undefined
  /** Seconds for which its request counts as in flight from now on; 0 when it has ended. */
  readonly open: number
  readonly money: Money
  readonly told: Told | undefined
}

/** An intent that is written, and the limits that its price has nearly used up. */
export interface Admitted {
  readonly _tag: "written"
  readonly warnings: ReadonlyArray<Warning>
}

/** Where entries are kept as text. Each call is one step there; `operation` is what it is made for, and names an error. */
export interface Entries {
  readonly look: (
    operation: string,
    taskId: string
  ) => Effect.Effect<{ readonly text: string | null; readonly print: string; readonly now: number }, JournalError>
  /** `"changed"`, and nothing is written, when another text is there than the one expected. */
  readonly replace: (operation: string, taskId: string, write: Write) => Effect.Effect<"written" | "changed", JournalError>
  /** The same, if there is room for one more request; `ifEnded`: only if none under this id is in flight. */
  readonly intend: (
    taskId: string,
    write: Write,
    ifEnded: boolean
  ) => Effect.Effect<Admitted | "changed" | "contended" | "full" | OverBudget, JournalError>
  /** Tells it if a request of the task was in flight. */
  readonly close: (taskId: string, cost: NanoDollars | undefined, told: Told) => Effect.Effect<void, JournalError>
  /** Debts are texts, and named by themselves. */
  readonly owe: (text: string) => Effect.Effect<void, JournalError>
  readonly owed: Effect.Effect<ReadonlyArray<string>, JournalError>
  readonly settled: (text: string) => Effect.Effect<void, JournalError>
  readonly owing: Journal["Service"]["owing"]
  readonly inFlight: Journal["Service"]["inFlight"]
  readonly counts: Journal["Service"]["counts"]
}

/** What a write adds to the life of its task. */
const eventOf = (operation: string, entry: Generation | null, { isOurs, text }: Page, by: string): LifeEvent | undefined => {
  if (operation === "withdraw") return text === null ? undefined : { _tag: "Withdrawn", by }
  const stored = text === null ? undefined : Rules.read(text)
  const before =
    stored === undefined || stored._tag === "Unreadable" || entry === null || attemptOf(stored) !== attemptOf(entry)
      ? undefined
      : stored
  switch (entry?._tag) {
    case undefined:
      return undefined
    case "Intended":
      // Else it is an intent that fal has accepted without an id, and the task's failure says so.
      return operation === "intend" ? { _tag: "Intended", by, endpoint: entry.endpoint, resubmits: entry.resubmits } : undefined
    case "Submitted": {
      const { requestId } = entry
      if (entry.unknownSince !== undefined) return { _tag: "Unknown", by, requestId }
      if (before?._tag !== "Submitted") return { _tag: "Submitted", by, requestId }
      return isOurs ? undefined : { _tag: "Resumed", by, requestId }
    }
    case "Generated": {
      const { inferenceMs, media, picture, requestId, tookMs } = entry
      if (media !== undefined && before?._tag === "Generated")
        return { _tag: "PictureStored", by, name: media.name, bytes: media.bytes }
      const took = { tookMs, ...(inferenceMs === undefined ? {} : { inferenceMs }) }
      return { _tag: "PictureMade", by, requestId, ...took, flagged: picture.flagged }
    }
  }
}

/**
 * One process's journal over these entries, which writes in the name of the worker `by`. It reads the entry, decides by the rules,
 * and writes if nothing has changed since. The process remembers the texts that it wrote or read last, which saves the read: if
 * another worker has written meanwhile, the write is refused and the entry is read again. A remembered text alone never forbids
 * anything.
 */
export const make = (entries: Entries, timeLimit: number, by: string): Journal["Service"] => {
  const remembered = new Map<string, Page>()
  const remember = (taskId: string, page: Page) => {
    remembered.delete(taskId)
    if (page.text !== null) remembered.set(taskId, page)
    if (remembered.size > REMEMBERED) for (const oldest of remembered.keys()) return remembered.delete(oldest)
  }
  const look = (operation: string, taskId: string) =>
    Effect.map(entries.look(operation, taskId), ({ now, print, text }) => {
      const page = { text, print, isOurs: false }
      remember(taskId, page)
      return { ...page, now }
    })

  const change = Effect.fnUntraced(function* <R, A extends string | Admitted | OverBudget>(
    operation: string,
    taskId: string,
    decide: (stored: string | null) => Rules.Change<R>,
    write: (what: Write, ifEnded: boolean) => Effect.Effect<A | "changed", JournalError>,
    { likelyEmpty = false, withdrawn }: { readonly likelyEmpty?: boolean; readonly withdrawn?: Generation } = {}
  ) {
    let guess = remembered.get(taskId) ?? (likelyEmpty ? EMPTY : undefined)
    for (let tries = 0; tries < TRIES; tries++) {
      const isGuess = guess !== undefined
      const page = guess ?? (yield* look(operation, taskId))
      const { print, text } = page
      guess = undefined
      const change = decide(text)
      if (change._tag === "Leave") {
        if (isGuess) continue
        return change.why
      }
      const { entry, ifEnded } = change
      const open = Rules.openFor(entry, timeLimit)
      const event = eventOf(operation, entry, page, by)
      const told = event === undefined ? undefined : { taskId, event }
      const money = moneyOf(entry, withdrawn)
      const answer = yield* write({ expected: print, text: change.text, state: entry?._tag, open, money, told }, ifEnded)
      if (answer === "changed") continue
      // With its picture there is nothing left to write of a generation.
      const last = change.text === null || entry?._tag === "Generated"
      if (answer === "written" || (typeof answer === "object" && answer._tag === "written"))
        remember(taskId, last ? EMPTY : { text: change.text, print: printOf(change.text), isOurs: true })
      return answer
    }
    return yield* new JournalError({ operation, cause: `changed by others ${TRIES} times` })
  })

  return Journal.of({
    find: Effect.fn("Journal.find")(function* (taskId) {
      const { now, text } = yield* look("find", taskId)
      return { entry: Option.map(Option.fromNullOr(text), Rules.read), now }
    }),
    intend: Effect.fn("Journal.intend")(function* (taskId, intent, repeats) {
      const answer = yield* change(
        "intend",
        taskId,
        (stored) => Rules.intend(stored, intent, repeats),
        (what, ifEnded) => entries.intend(taskId, what, ifEnded),
        { likelyEmpty: Option.isNone(repeats) }
      )
      if (typeof answer !== "object" || answer._tag !== "written") return answer
      yield* warn(answer.warnings)
      return "written"
    }),
    advance: Effect.fn("Journal.advance")((taskId: string, next: Generation) =>
      change(
        "advance",
        taskId,
        (stored) => Rules.advance(stored, next),
        (what) => entries.replace("advance", taskId, what)
      )
    ),
    withdraw: Effect.fn("Journal.withdraw")((taskId, generation, before) =>
      Effect.asVoid(
        change(
          "withdraw",
          taskId,
          (stored) => Rules.withdraw(stored, generation, before),
          (what) => entries.replace("withdraw", taskId, what),
          { withdrawn: generation }
        )
      )
    ),
    close: Effect.fn("Journal.close")((taskId, cost) =>
      Effect.andThen(
        Effect.sync(() => remembered.delete(taskId)),
        entries.close(taskId, cost, { taskId, event: { _tag: "Closed", by } })
      )
    ),
    owe: Effect.fn("Journal.owe")((debt) => {
      const text = JSON.stringify(Schema.encodeSync(Debt)(debt))
      return Effect.as(entries.owe(text), text)
    }),
    // What a newer version wrote is left to it.
    owed: Effect.map(entries.owed, (texts) =>
      texts.flatMap((text) => Option.toArray(Option.map(readDebt(text), (debt) => ({ name: text, debt }))))
    ),
    settled: entries.settled,
    owing: entries.owing,
    inFlight: entries.inFlight,
    counts: entries.counts
  })
}
