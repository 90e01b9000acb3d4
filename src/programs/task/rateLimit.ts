import type { RateLimit, Vitals } from "../../services/Vitals.ts"

/** A turn is given up when its task has not come for this many milliseconds. */
const UNUSED = 3_600_000
/** A task that has not come for this long after its time was taken by another worker (milliseconds). */
const GONE = 60_000
/** For this long only the first in line may take its turn; then another may (milliseconds). Less at a fast rate. */
const PRECEDENCE = 2000
/**
 * No task is parked for longer than this (milliseconds), and a tenth of a second more for each that waits: an order may be lifted
 * and a worker replaced, and what is parked far ahead would be left there. However many wait, some ten a second come to look.
 */
const AHEAD = 10_000
const EACH = 100

/** How many tasks stand in line before this one; `most` when that many do. */
const before = (waiting: RateLimit["waiting"], id: string, most: number): number => {
  let count = 0
  for (const other of waiting.keys()) {
    if (other === id || count >= most) break
    count++
  }
  return count
}

/**
 * When this task may start under its rate limit (Unix milliseconds): now if there is no limit or it is its turn. Tasks take turns
 * in the order in which they first came. A task that has taken its turn keeps it until it starts, whatever else it waits for. A
 * later time is when to ask again; the message is parked until then under its tag.
 */
export const permit = (
  vitals: Vitals["Service"],
  task: string,
  { id, tag }: { id: string; tag: string },
  now: number
): number => {
  const limit = vitals.rateLimits.get(task)
  if (limit === undefined) return now
  const { interval, turns, waiting } = limit
  if (turns.delete(id)) {
    turns.set(id, now) // it has come, so it is not given up
    return now
  }
  for (const [other, at] of turns) {
    if (at > now - UNUSED) break
    turns.delete(other)
  }
  for (const [other, { due }] of waiting) {
    if (due > now - GONE) break
    waiting.delete(other)
  }
  const first = waiting.keys().next()
  const comesFirst = first.done === true || first.value === id || now - limit.next >= Math.min(PRECEDENCE, interval)
  if (now >= limit.next && comesFirst) {
    waiting.delete(id)
    turns.set(id, now)
    limit.next = now + interval
    return now
  }
  const ahead = AHEAD + EACH * waiting.size
  const turn = Math.max(limit.next, now) + before(waiting, id, Math.ceil(ahead / interval)) * interval
  const due = Math.max(now + 1, Math.min(turn, now + ahead))
  waiting.set(id, { due, tag })
  return due
}

/** The task has started, which uses up its turn. */
export const leavePlace = (vitals: Vitals["Service"], task: string, id: string): void => {
  vitals.rateLimits.get(task)?.turns.delete(id)
}
