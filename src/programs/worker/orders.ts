import { constants } from "node:os"
import { stamp } from "../../services/Fleet.ts"
import type { Request, Vitals } from "../../services/Vitals.ts"

/** What remote control has ordered about tasks, asked at the moment a task would start. */

/** Was it revoked, by its id or by one of its stamps? */
export const revocation = (vitals: Vitals["Service"], request: Request, now: number): boolean => {
  const { ids, stamps } = vitals.revoked
  if ((ids.get(request.id) ?? 0) > now) return true
  return (
    stamps.size > 0 &&
    Object.entries(request.stamps).some(([header, values]) =>
      [values].flat().some((value) => (stamps.get(stamp(header, String(value))) ?? 0) > now)
    )
  )
}

/** A place whose task has not come this long after its time is given up (milliseconds). */
const UNCLAIMED = 3_600_000

/**
 * When this task may start under its kind's rate limit (Unix milliseconds); now, when there is none. It gets a place of its own,
 * so that those behind it queue up in order, and keeps it until it begins: whatever else it waits for, its turn stays its own.
 */
export const permit = (vitals: Vitals["Service"], task: string, id: string, now: number): number => {
  const limit = vitals.rateLimits.get(task)
  if (limit === undefined) return now
  const place = limit.places.get(id)
  if (place !== undefined && place > now) return place
  if (place !== undefined) {
    limit.places.delete(id)
    limit.places.set(id, now) // it has come, so it is not given up
    return now
  }
  // Another worker may have taken one that waited here: its place is nobody's.
  for (const [other, at] of limit.places) {
    if (at > now - UNCLAIMED) break
    limit.places.delete(other)
  }
  const start = Math.max(now, limit.next)
  limit.next = start + limit.interval
  limit.places.set(id, start)
  return start
}

/** It has begun, and its turn is used up. */
export const leavePlace = (vitals: Vitals["Service"], task: string, id: string): void => {
  vitals.rateLimits.get(task)?.places.delete(id)
}

export const signumOf = (signal: string): number => {
  const known = Object.entries(constants.signals).find(([name]) => name === signal || name === `SIG${signal}`)
  return known === undefined ? constants.signals.SIGTERM : known[1]
}
