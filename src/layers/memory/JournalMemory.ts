import { Clock, Duration, Effect, Layer } from "effect"
import { GONE, Journal, KEEP, PRESENT, type State } from "../../services/Journal.ts"
import * as Settings from "../../services/Settings.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { MemoryBroker } from "./Broker.ts"
import { makeLives, type MemoryLives } from "./lives.ts"
import { type Entries, make, printOf, type Write } from "../journal/entries.ts"

interface Kept {
  readonly text: string
  /** Undefined for one that has ended without a picture. */
  state: State | undefined
  readonly until: number
}

/** Entries in this process: as many journals may be made over them as there would be workers at one Redis. */
export const makeEntries = (limit: number, lives: MemoryLives = makeLives()): Entries => {
  const kept = new Map<string, Kept>()
  /** Requests in flight, and until when they count. */
  const open = new Map<string, number>()
  /** Tasks that wait for room, in the order of their first asking, and when each asked last. */
  const line = new Map<string, number>()

  const stored = (taskId: string) => {
    const text = kept.get(taskId)?.text ?? null
    return { text, print: text === null ? "" : printOf(text) }
  }
  const write = (taskId: string, { open: counts, state, text, told }: Write, now: number) => {
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
        if (isFull(taskId, now)) return "full"
        line.delete(taskId)
        write(taskId, next, now)
        return "written"
      }),
    close: (taskId, told) =>
      step((now) => {
        if (open.delete(taskId)) lives.tell(told, now)
        const entry = kept.get(taskId)
        if (entry !== undefined) entry.state = undefined
      }),
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
    return over(makeEntries(FAL_MAX_CONCURRENT, lives))
  })
)
