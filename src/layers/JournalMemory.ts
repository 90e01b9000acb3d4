import { Clock, Duration, Effect, Layer, Option } from "effect"
import { type Generation, GONE, Journal, KEEP, PRESENT, type State } from "../services/Journal.ts"
import * as Settings from "../services/Settings.ts"
import * as Rules from "./journal/rules.ts"

interface Kept {
  readonly text: string
  /** Undefined for one that has ended without a picture. */
  state: State | undefined
  readonly until: number
}

export const layer = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const settings = yield* Settings.of("FAL_MAX_CONCURRENT", "TASK_TIME_LIMIT")
    const limit = settings.FAL_MAX_CONCURRENT
    const entries = new Map<string, Kept>()
    /** Requests in flight, and until when they count. */
    const open = new Map<string, number>()
    /** Who waits for room, in the order of first asking, and when each last asked. */
    const line = new Map<string, number>()

    const stored = (taskId: string) => entries.get(taskId)?.text ?? null
    const write = (taskId: string, entry: Generation | null, text: string | null, now: number) => {
      if (entry === null || text === null) entries.delete(taskId)
      else entries.set(taskId, { text, state: entry._tag, until: now + KEEP * 1000 })
      const counts = Rules.openFor(entry, Duration.toSeconds(settings.TASK_TIME_LIMIT))
      if (counts === 0) open.delete(taskId)
      else open.set(taskId, now + counts * 1000)
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
    /** One step at the store, which first forgets what is over. */
    const step = <A>(run: (now: number) => A) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        for (const [taskId, { until }] of entries)
          if (until <= now) {
            entries.delete(taskId)
            open.delete(taskId)
          }
        return run(now)
      })

    return Journal.of({
      find: (taskId) => step((now) => ({ entry: Option.map(Option.fromNullOr(stored(taskId)), Rules.read), now })),
      intend: (taskId, intent, repeats) =>
        step((now) => {
          const change = Rules.intend(stored(taskId), intent, repeats)
          if (change._tag === "Leave") return change.why
          inFlight(now)
          if (change.ifEnded && open.has(taskId)) return "contended"
          if (isFull(taskId, now)) return "full"
          line.delete(taskId)
          write(taskId, change.entry, change.text, now)
          return "written"
        }),
      advance: (taskId, next) =>
        step((now) => {
          const change = Rules.advance(stored(taskId), next)
          if (change._tag === "Leave") return change.why
          write(taskId, change.entry, change.text, now)
          return "written"
        }),
      withdraw: (taskId, generation, before) =>
        step((now) => {
          const change = Rules.withdraw(stored(taskId), generation, before)
          if (change._tag === "Write") write(taskId, change.entry, change.text, now)
        }),
      close: (taskId) =>
        Effect.sync(() => {
          open.delete(taskId)
          const entry = entries.get(taskId)
          if (entry !== undefined) entry.state = undefined
        }),
      inFlight: step(inFlight),
      counts: step(() => {
        const counts: Record<State, number> = { Intended: 0, Submitted: 0, Generated: 0 }
        for (const { state } of entries.values()) if (state !== undefined) counts[state]++
        return counts
      })
    })
  })
)
