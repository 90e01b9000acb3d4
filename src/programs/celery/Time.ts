import { DateTime } from "effect"

/** Python's ISO 8601, in UTC. */
export const iso = (millis: number) => new Date(millis).toISOString().replace("Z", "000+00:00")

export const UTC = DateTime.zoneMakeNamedUnsafe("UTC")

/** ISO 8601 as Unix milliseconds, or NaN. Without an offset it is a time of `zone`: where the clocks go back, the earlier. */
export const moment = (text: string, zone: DateTime.TimeZone = UTC): number => {
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return Number.NaN
  if (text.length > 10 && /(Z|[+-]\d\d:?\d\d)$/.test(text)) return Date.parse(text)
  const asUtc = Date.parse(text.length > 10 ? `${text}Z` : text)
  return Number.isNaN(asUtc) || zone === UTC
    ? asUtc
    : DateTime.makeZonedUnsafe(asUtc, { timeZone: zone, adjustForTimeZone: true }).epochMilliseconds
}
