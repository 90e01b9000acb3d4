import type { Vitals } from "../../services/Vitals.ts"
import { pausedBy } from "../task/obstacles.ts"

/** A worker that proves nothing for this long is not healthy (milliseconds). */
const SILENCE = 30_000

/** Why this worker cannot be said to consume; "" when it does. */
export const trouble = (vitals: Vitals["Service"], startedAt: number, now: number): string => {
  const paused = pausedBy(vitals, now)
  if (paused !== "") return `paused: ${paused}`
  // A worker that a wrong password keeps out must not pass for started, or a rolling restart would replace the next one too.
  if (vitals.lastBeat === 0)
    return vitals.leaseTrouble === "" ? "starting: waiting for the broker's first answer" : vitals.leaseTrouble
  if (now - vitals.lastBeat > SILENCE) {
    const why = vitals.leaseTrouble === "" ? "the next beat is still on its way" : vitals.leaseTrouble
    return `no lease for ${Math.round((now - vitals.lastBeat) / 1000)} s: ${why}`
  }
  if (vitals.notReady !== "") return `not ready: ${vitals.notReady}`
  for (const [need, { since, why }] of vitals.silent)
    if (now - since > SILENCE) return `the ${need} has not answered for ${Math.round((now - since) / 1000)} s: ${why}`
  if (!vitals.full && !vitals.stopping && now - Math.max(vitals.lastLook, startedAt) > SILENCE)
    return "has not looked at the queue for 30 s though a slot is free"
  return ""
}
