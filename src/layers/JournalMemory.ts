import { Clock, Duration, Effect, Equal, Layer, Option } from "effect"
import { type Generation, GONE, Journal, ORPHANED, PRESENT, type State } from "../services/Journal.ts"
import * as Settings from "../services/Settings.ts"

export const layer = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const settings = yield* Settings.of("FAL_MAX_CONCURRENT", "TASK_TIME_LIMIT")
    const limit = settings.FAL_MAX_CONCURRENT
    const counts = (entry: Generation) => ((entry.timeLimit ?? Duration.toSeconds(settings.TASK_TIME_LIMIT)) + ORPHANED) * 1000
    const entries = new Map<string, Generation>()
    const closed = new Set<string>()
    /** Requests in flight, and until when they count. */
    const open = new Map<string, number>()
    /** Who waits for room, in the order of first asking, and when each last asked. */
    const line = new Map<string, number>()

    const isStill = (taskId: string, previous: Option.Option<Generation>) =>
      Equal.equals(Option.fromNullishOr(entries.get(taskId)), previous)
    const write = (taskId: string, next: Option.Option<Generation>, now: number) => {
      if (Option.isSome(next)) entries.set(taskId, next.value)
      else entries.delete(taskId)
      closed.delete(taskId)
      if (Option.isSome(next) && next.value._tag !== "Generated") open.set(taskId, now + counts(next.value))
      else open.delete(taskId)
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

    return Journal.of({
      find: (taskId) => Effect.sync(() => Option.fromNullishOr(entries.get(taskId))),
      intend: (taskId, previous, intent) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          if (!isStill(taskId, previous)) return "contended"
          inFlight(now)
          if (isFull(taskId, now)) return "full"
          line.delete(taskId)
          write(taskId, Option.some(intent), now)
          return "written"
        }),
      advance: (taskId, previous, next) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          if (!isStill(taskId, previous)) return false
          write(taskId, next, now)
          return true
        }),
      close: (taskId) =>
        Effect.sync(() => {
          open.delete(taskId)
          closed.add(taskId)
        }),
      inFlight: Effect.map(Clock.currentTimeMillis, inFlight),
      counts: Effect.sync(() => {
        const counts: Record<State, number> = { Intended: 0, Submitted: 0, Generated: 0 }
        for (const [taskId, { _tag }] of entries) if (!closed.has(taskId)) counts[_tag]++
        return counts
      })
    })
  })
)
