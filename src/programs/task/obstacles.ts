import type { Vitals } from "../../services/Vitals.ts"
import type { Blocked } from "./Task.ts"

/**
 * Tasks whose dependency is closed are parked, so that tasks behind them get their turn. Any number of blocked tasks may lie in
 * front of one that can run, so parking is limited by rate, not by number: after `RUN` in a row the worker takes one task every
 * `PACE` milliseconds, and parked tasks return at half that rate. Thousands of them cost some dozens of commands a second.
 */
export const RUN = 20
export const PACE = 100
const RETURN = 2 * PACE
/** A worker that only parks tasks for this long reports that it does no work (milliseconds). */
const PATIENCE = 5000
/**
 * An endpoint still counts as closed for this long after its retry time, until some worker has tried it and reported
 * (milliseconds).
 */
const STALE = 30_000

/** Records why a task is parked. Gives the time until which it is parked (Unix milliseconds). */
export const meet = (vitals: Vitals["Service"], { after, by, reason, why }: Blocked, now: number): number => {
  const serious = reason === "closed"
  const known = vitals.obstacles.get(by)
  const until = now + Math.max(1, after) * 1000
  // The same closure as before, perhaps reported by another worker with a slightly different time.
  const same = known !== undefined && Math.abs(known.until - until) < 2000
  const obstacle = same ? known : { why, serious, until, parked: 0 }
  vitals.obstacles.set(by, obstacle)
  if (vitals.barren.tasks === 0) vitals.barren.since = now
  vitals.barren.tasks++
  vitals.noticed.openUnsafe()
  return until + RETURN * ++obstacle.parked
}

/** A task has started, so this worker does work. */
export const begun = (vitals: Vitals["Service"]): void => {
  vitals.barren.tasks = 0
}

/** Removes obstacles that no task has met lately. */
export const forgetOld = (vitals: Vitals["Service"], now: number): void => {
  for (const [by, { until }] of vitals.obstacles) if (until + STALE <= now) vitals.obstacles.delete(by)
  if (vitals.obstacles.size === 0) vitals.barren.tasks = 0
}

/** The closed dependencies that need a person, in words; "" if there are none. */
export const closed = (vitals: Vitals["Service"]): string =>
  [...vitals.obstacles].flatMap(([by, { serious, why }]) => (serious ? [`${by} (${why})`] : [])).join("; ")

/** Why this worker takes nothing, or takes nothing that it can do; "" when it works. */
export const pausedBy = (vitals: Vitals["Service"], now: number): string =>
  vitals.paused === "" ? withoutWork(vitals, now) : vitals.paused

/** Why this worker buys nothing, or gets no work done though it looks for it; "" when it does, or need not worry anybody. */
export const withoutWork = (vitals: Vitals["Service"], now: number): string => {
  const { library } = vitals
  const stuck = blockedSince(vitals, now - PATIENCE)
  if (stuck !== "") return stuck
  if (library.closed !== "" && now - library.since >= PATIENCE)
    return `pictures cannot be saved, so none is bought: ${library.closed}`
  return stalled(vitals, now)
}

/**
 * The dependency that this worker has waited for since `before` or longer, so that it claims no task that needs the same; "" for
 * none.
 */
export const blockedSince = (vitals: Vitals["Service"], before: number): string => {
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
