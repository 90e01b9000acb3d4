import type { Vitals } from "../../services/Vitals.ts"
import type { Blocked } from "../Task.ts"

/**
 * Tasks that need what is closed are parked, so that others behind them get their turn. How many is bounded by time and not by
 * number, since one that needs something else may lie behind any number of them: after `RUN` in a row the worker takes one task
 * every `PACE` milliseconds, and those parked come back at half that pace, so that the others are reached. Thousands cost some
 * dozens of commands a second.
 */
export const RUN = 20
export const PACE = 100
const RETURN = 2 * PACE
/** A worker that has only parked tasks for this many milliseconds says that it does no work. */
const PATIENCE = 5000
/** An endpoint counts as closed for this many milliseconds after its time: until then some worker has tried it and reported. */
const STALE = 30_000

/** Notes why a task is parked, and says until when (Unix milliseconds). */
export const meet = (vitals: Vitals["Service"], { after, by, serious, why }: Blocked, now: number): number => {
  const known = vitals.obstacles.get(by)
  const until = now + Math.max(1, after) * 1000
  // The same closure as before, whoever told of it and however exactly.
  const same = known !== undefined && Math.abs(known.until - until) < 2000
  const obstacle = same ? known : { why, serious, until, parked: 0 }
  vitals.obstacles.set(by, obstacle)
  if (vitals.barren.tasks === 0) vitals.barren.since = now
  vitals.barren.tasks++
  vitals.noticed.openUnsafe()
  return until + RETURN * ++obstacle.parked
}

/** A task has begun: there is work. */
export const begun = (vitals: Vitals["Service"]): void => {
  vitals.barren.tasks = 0
}

/** Forgets what nobody has spoken of for a while. */
export const forgetOld = (vitals: Vitals["Service"], now: number): void => {
  for (const [by, { until }] of vitals.obstacles) if (until + STALE <= now) vitals.obstacles.delete(by)
  if (vitals.obstacles.size === 0) vitals.barren.tasks = 0
}

/** What is closed and needs a person, in words; "" when nothing is. */
export const closed = (vitals: Vitals["Service"]): string =>
  [...vitals.obstacles].flatMap(([by, { serious, why }]) => (serious ? [`${by} (${why})`] : [])).join("; ")

/** Why this worker takes nothing, or takes nothing that it can do; "" when it works. */
export const pausedBy = (vitals: Vitals["Service"], now: number): string =>
  vitals.paused === "" ? withoutWork(vitals, now) : vitals.paused

/** Why this worker buys nothing, or gets no work done though it looks for it; "" when it does, or need not worry anybody. */
export const withoutWork = (vitals: Vitals["Service"], now: number): string => {
  const { library } = vitals
  const stuck = withheld(vitals, now - PATIENCE)
  if (stuck !== "") return stuck
  if (library.closed !== "" && now - library.since >= PATIENCE)
    return `pictures cannot be saved, so none is bought: ${library.closed}`
  return stalled(vitals, now)
}

/** What this worker waits for since `before` or longer, so that it takes no task that would only wait for the same; "" for nothing. */
export const withheld = (vitals: Vitals["Service"], before: number): string => {
  for (const { since, what, why } of vitals.insisting) if (since <= before) return `cannot ${what}: ${why}`
  const { journalAway } = vitals
  return journalAway === undefined || journalAway.since > before ? "" : `the journal cannot be read: ${journalAway.why}`
}

/** Why this worker gets no work done though it looks for it; "" when it does, or need not worry anybody. */
const stalled = (vitals: Vitals["Service"], now: number): string => {
  const { since, tasks } = vitals.barren
  if (tasks === 0 || (tasks < RUN && now - since < PATIENCE)) return ""
  const what = closed(vitals)
  return what === "" ? "" : `each task waits for what is closed: ${what}`
}
