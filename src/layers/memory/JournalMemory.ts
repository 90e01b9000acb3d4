import { Clock, Duration, Effect, Layer } from "effect"
import { GONE, Journal, KEEP, MOST_TAKEN, PRESENT, type State, TAKEN } from "../../services/Journal.ts"
import * as Settings from "../../services/Settings.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { MemoryBroker } from "./Broker.ts"
import { makeLives, type MemoryLives } from "./lives.ts"
import { Budget } from "../../services/Budget.ts"
import { rules } from "../journal/money.ts"
import { type Entries, make, printOf, type Write } from "../journal/entries.ts"
import { budgetOf, make as makeBudget, type MemoryBudget } from "./budget.ts"

interface Kept {
  readonly text: string
  /** Undefined for one that has ended without a picture. */
  state: State | undefined
  readonly until: number
}

/** Entries in this process: as many journals may be made over them as there would be workers at one Redis. */
export const makeEntries = (limit: number, budget: MemoryBudget, lives: MemoryLives = makeLives()): Entries => {
  const kept = new Map<string, Kept>()
  /** Requests in flight, and until when they count. */
  const open = new Map<string, number>()
  /** Tasks that wait for room, in the order of their first asking, and when each asked last. */
  const line = new Map<string, number>()

  /** Debts, and when each may be taken up. */
  const owed = new Map<string, number>()

  const stored = (taskId: string) => {
    const text = kept.get(taskId)?.text ?? null
    return { text, print: text === null ? "" : printOf(text) }
  }
  const write = (taskId: string, { expected, money, open: counts, state, text, told }: Write, now: number) => {
    // The store has lost the entry, and with it what was reserved.
    if (text !== null && expected === "" && !budget.reservations.has(taskId)) budget.reserve(taskId, money, now)
    if (money.settles !== undefined) budget.settle(taskId, money.settles.attempt, money.settles.cost)
    // What this entry takes the place of may have been paid.
    if (text !== null && !budget.isReserved(taskId, money)) budget.settle(taskId, undefined, undefined)
    if (text === null) kept.delete(taskId)
    else kept.set(taskId, { text, state, until: now + KEEP * 1000 })
    if (counts === 0) open.delete(taskId)
    else open.set(taskId, now + counts * 1000)
    lives.tell(told, now)
  }
  const inFlight = (now: number) => {
    for (const [taskId, until] of open) if (until <= now) open.delete(taskId)
    return open.size
  }
  const isFull = (taskId: string, now: number) => {
    if (limit === 0 || open.has(taskId)) return false
    for (const [other, asked] of line) if (asked <= now - GONE * 1000) line.delete(other)
    line.set(taskId, now)
    const before = [...line].slice(0, [...line.keys()].indexOf(taskId))
    return open.size + before.filter(([, asked]) => asked > now - PRESENT * 1000).length >= limit
  }
  /** One step at the store, which first removes entries whose time is over. */
  const step = <A>(run: (now: number) => A) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      for (const [taskId, { until }] of kept)
        if (until <= now) {
          kept.delete(taskId)
          open.delete(taskId)
          budget.reservations.delete(taskId)
        }
      return run(now)
    })

  return {
    look: (_, taskId) => step((now) => ({ ...stored(taskId), now })),
    replace: (_, taskId, next) =>
      step((now) => {
        if (stored(taskId).print !== next.expected) return "changed"
        write(taskId, next, now)
        return "written"
      }),
    intend: (taskId, next, ifEnded) =>
      step((now) => {
        if (stored(taskId).print !== next.expected) return "changed"
        inFlight(now)
        if (ifEnded && open.has(taskId)) return "contended"
        const isReserved = budget.isReserved(taskId, next.money)
        const over = isReserved ? undefined : budget.overBudget(next.money, now)
        if (over !== undefined) {
          line.delete(taskId)
          return over
        }
        if (isFull(taskId, now)) return "full"
        line.delete(taskId)
        const warnings = isReserved ? [] : budget.reserve(taskId, next.money, now)
        write(taskId, next, now)
        return { _tag: "written" as const, warnings }
      }),
    close: (taskId, cost, told) =>
      step((now) => {
        budget.settle(taskId, undefined, cost)
        if (open.delete(taskId)) lives.tell(told, now)
        const entry = kept.get(taskId)
        if (entry !== undefined) entry.state = undefined
      }),
    owe: (text) =>
      step((now) => {
        if (!owed.has(text)) owed.set(text, now + TAKEN * 1000)
      }),
    owed: step((now) => {
      const due = [...owed].filter(([, at]) => at <= now).toSorted(([, one], [, other]) => one - other)
      const taken = due.slice(0, MOST_TAKEN).map(([text]) => text)
      for (const text of taken) owed.set(text, now + TAKEN * 1000)
      return taken
    }),
    settled: (text) => Effect.sync(() => void owed.delete(text)),
    owing: Effect.sync(() => owed.size),
    inFlight: step(inFlight),
    counts: step(() => {
      const counts: Record<State, number> = { Intended: 0, Submitted: 0, Generated: 0 }
      for (const { state } of kept.values()) if (state !== undefined) counts[state]++
      return counts
    })
  }
}

/** A worker's journal over these entries. */
export const over = (entries: Entries) =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const { TASK_TIME_LIMIT } = yield* Settings.of("TASK_TIME_LIMIT")
      const { name } = yield* WorkerIdentity
      return make(entries, Duration.toSeconds(TASK_TIME_LIMIT), name)
    })
  )

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { FAL_MAX_CONCURRENT } = yield* Settings.of("FAL_MAX_CONCURRENT")
    const { lives } = yield* MemoryBroker
    const known = yield* rules
    const money = makeBudget(known)
    return Layer.merge(over(makeEntries(FAL_MAX_CONCURRENT, money, lives)), Layer.succeed(Budget, budgetOf(known, money)))
  })
)
