import { constants } from "node:os"
import type { Request, Vitals } from "../../services/Vitals.ts"

/** What remote control has ordered about tasks, asked at the moment a task would start. */

/** Was it revoked, by its id or by one of its stamps? */
export const revocation = (vitals: Vitals["Service"], request: Request, now: number): boolean => {
  const until = vitals.revoked.get(request.id)
  if (until !== undefined && until > now) return true
  if (vitals.revokedStamps.size === 0) return false
  for (const [header, values] of vitals.revokedStamps) {
    const stamp = request.stamps[header]
    const stamps = Array.isArray(stamp) ? stamp : [stamp]
    if (stamps.some((value) => values.has(String(value)))) return true
  }
  return false
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
  if (place !== undefined) return Math.max(place, now)
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
