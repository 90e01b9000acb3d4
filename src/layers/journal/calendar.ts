import { DateTime } from "effect"
import type { Span } from "../../services/Budget.ts"

/** A day or a month of a time zone. */
export interface Period {
  /** Its name: 2026-11-27, or 2026-11. */
  readonly label: string
  /** The first instant that is no longer in it (Unix seconds). */
  readonly ends: number
}

const at = (millis: number, zone: DateTime.TimeZone) => DateTime.setZone(DateTime.makeUnsafe(millis), zone)
const labelOf = (when: DateTime.Zoned, span: Span) => DateTime.formatIsoDate(when).slice(0, span === "day" ? 10 : 7)

/** Longer than any day or month, whatever the clocks do (seconds). */
const LONGEST = { day: 2 * 86_400, month: 33 * 86_400 }

/**
 * The period of this instant. Its end is looked for, not computed: the first second with another label, which is right where
 * clocks change, where midnight does not exist or comes twice, and where a whole day is left out.
 */
export const periodAt = (millis: number, span: Span, zone: DateTime.TimeZone): Period => {
  const label = labelOf(at(millis, zone), span)
  let within = Math.floor(millis / 1000)
  let after = within + LONGEST[span]
  while (after - within > 1) {
    const middle = Math.floor((within + after) / 2)
    // Where midnight comes twice, the evening is lived through again under the old label.
    if (labelOf(at(middle * 1000, zone), span) > label) after = middle
    else within = middle
  }
  return { label, ends: after }
}

/**
 * The periods around this instant, in order. The store picks one by its own clock, so there is one on each side for a machine
 * whose clock is off.
 */
export const periodsAround = (millis: number, span: Span, zone: DateTime.TimeZone): ReadonlyArray<Period> => {
  const current = periodAt(millis, span, zone)
  let start = Math.floor(millis / 1000)
  let before = start - LONGEST[span]
  while (start - before > 1) {
    const middle = Math.floor((start + before) / 2)
    if (labelOf(at(middle * 1000, zone), span) < current.label) before = middle
    else start = middle
  }
  return [{ label: labelOf(at(before * 1000, zone), span), ends: start }, current, periodAt(current.ends * 1000, span, zone)]
}
