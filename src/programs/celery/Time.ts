import { DateTime } from "effect"

// The years of Python's datetime, which are 1 to 9999.
const EARLIEST = Date.parse("0001-01-01T00:00:00Z")
const LATEST = Date.parse("9999-12-31T23:59:59.999Z")

/** Whether Python has a date for these Unix milliseconds. */
export const isMoment = (millis: number) => millis >= EARLIEST && millis <= LATEST
const nearest = (millis: number) => Math.min(Math.max(millis, EARLIEST), LATEST)

/** Python's ISO 8601, in UTC. A time that Python has no date for is shown as the nearest one it has. */
export const iso = (millis: number) => new Date(nearest(millis)).toISOString().replace("Z", "000+00:00")

export const UTC = DateTime.zoneMakeNamedUnsafe("UTC")

const parsed = (text: string, zone: DateTime.TimeZone): number => {
  if (text.length > 100 || !/^(?!0000)\d{4}-\d\d-\d\d/.test(text)) return Number.NaN
  if (text.length > 10 && /(Z|[+-]\d\d:?\d\d)$/.test(text)) return Date.parse(text)
  const asUtc = Date.parse(text.length > 10 ? `${text}Z` : text)
  if (Number.isNaN(asUtc) || zone === UTC) return asUtc
  return DateTime.makeZonedUnsafe(asUtc, { timeZone: zone, adjustForTimeZone: true }).epochMilliseconds
}

/**
 * ISO 8601 as Unix milliseconds, or NaN. Without an offset it is a time of `zone`: where the clocks go back, the earlier.
 * Python's `datetime.max`, which stands for "never", stays the last moment in whichever zone it is meant.
 */
export const moment = (text: string, zone: DateTime.TimeZone = UTC): number => nearest(parsed(text, zone))
