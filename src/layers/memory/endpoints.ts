import { Clock, Effect } from "effect"
import * as Service from "../../services/Endpoints.ts"

interface Entry {
  readonly reason: Service.Reason
  readonly why: string
  /** Unix milliseconds. */
  readonly until: number
  /** How long the endpoint was closed for (seconds). */
  readonly pause: number
  readonly trial: boolean
}

/**
 * What workers of this process share about fal's endpoints. `isFailing`: whether the last submit that the circuit breaker counted
 * failed.
 */
export const make = (isFailing: () => boolean) => {
  const entries = new Map<string, Entry>()
  const told = (endpoint: string, { reason, until, why }: Entry, now: number): Service.Closed => ({
    endpoint,
    reason,
    why,
    seconds: Math.max(0, (until - now) / 1000)
  })
  const close = (endpoint: string, reason: Service.Reason, why: string, pauseAfter: (last: Entry | undefined) => number) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const known = entries.get(endpoint)
      const last = known === undefined || known.until + Service.FORGET * 1000 < now ? undefined : known
      const pause = pauseAfter(last)
      const until = now + pause * 1000
      const stays = last !== undefined && !last.trial && last.until > now && (last.reason === "refused" || last.until >= until)
      const entry = stays ? last : { reason, why: why.slice(0, Service.LONGEST_WHY), until, pause, trial: false }
      entries.set(endpoint, entry)
      return told(endpoint, entry, now)
    })

  return Service.Endpoints.of({
    isClear: (endpoint) => Effect.sync(() => !entries.has(endpoint) && !isFailing()),
    admit: (endpoint) =>
      Effect.map(Clock.currentTimeMillis, (now): Service.Admission => {
        const entry = entries.get(endpoint)
        if (entry === undefined) return { _tag: "Open" }
        if (entry.until > now) return { _tag: "Closed", ...told(endpoint, entry, now) }
        if (entry.until + Service.FORGET * 1000 < now) {
          entries.delete(endpoint)
          return { _tag: "Open" }
        }
        entries.set(endpoint, { ...entry, until: now + Service.TRIAL * 1000, trial: true })
        return { _tag: "Trial" }
      }),
    refused: (endpoint, why) =>
      close(endpoint, "refused", why, (last) =>
        last?.reason === "refused" ? Math.min(last.pause * 2, Service.LONGEST) : Service.FIRST
      ),
    busy: (endpoint, why, seconds) => close(endpoint, "busy", why, () => Math.min(Math.max(seconds, 0), Service.LONGEST)),
    untried: (endpoint) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const entry = entries.get(endpoint)
        if (entry?.trial === true) entries.set(endpoint, { ...entry, until: now })
      }),
    opened: (endpoint) => Effect.sync(() => void entries.delete(endpoint)),
    closed: Effect.map(Clock.currentTimeMillis, (now) =>
      [...entries].flatMap(([endpoint, entry]) => (entry.until + Service.FORGET * 1000 < now ? [] : [told(endpoint, entry, now)]))
    )
  })
}
