import { constants } from "node:os"
import { stamp, stampText } from "../../services/Fleet.ts"
import type { Request, Vitals } from "../../services/Vitals.ts"

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

export const signumOf = (signal: string): number => {
  const known = Object.entries(constants.signals).find(([name]) => name === signal || name === `SIG${signal}`)
  return known === undefined ? constants.signals.SIGTERM : known[1]
}
