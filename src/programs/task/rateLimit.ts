import { constants } from "node:os"
import { stamp, stampText } from "../../services/Fleet.ts"
import type { RateLimit, Request, Vitals } from "../../services/Vitals.ts"

/** What remote control has ordered about tasks, asked at the moment a task would start. */

/** Was it revoked, by its id or by one of its stamps? */
export const revocation = (vitals: Vitals["Service"], request: Request, now: number): boolean => {
  const { ids, stamps } = vitals.revoked
  if ((ids.get(request.id) ?? 0) > now) return true
  return (
    stamps.size > 0 &&
    Object.entries(request.stamps).some(([header, values]) =>
      [values].flat().some((value) => (stamps.get(stamp(header, stampText(value))) ?? 0) > now)
    )
  )
}

/** A turn is given up when its task has not come for this many milliseconds. */
const UNUSED = 3_600_000
/** A task that has not come so long after its time was taken by another worker (milliseconds). */
const GONE = 60_000
/** The first in line has so long to come for its turn before another may take it (milliseconds); less at a fast rate. */
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
 * When this task may start under its kind's rate limit (Unix milliseconds); now, when there is none or its turn has come. Tasks take
 * turns in the order in which they first came. Whoever has taken one keeps it until it begins, whatever else it waits for. Another
 * time is when to ask again, and the message is parked until then under its tag.
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

/** It has begun, and its turn is used up. */
export const leavePlace = (vitals: Vitals["Service"], task: string, id: string): void => {
  vitals.rateLimits.get(task)?.turns.delete(id)
}

export const signumOf = (signal: string): number => {
  const known = Object.entries(constants.signals).find(([name]) => name === signal || name === `SIG${signal}`)
  return known === undefined ? constants.signals.SIGTERM : known[1]
}
