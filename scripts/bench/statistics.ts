/** Statistics over the figures of several rounds. Pure. */

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value below which `share` of the values are. */
export const quantile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!

/** The distance from the smallest to the largest value, as a share of the median. */
export const spread = (values: ReadonlyArray<number>): number => (Math.max(...values) - Math.min(...values)) / median(values)

export type Better = "higher" | "lower"

/** With fewer rounds, or a smaller change, nothing is called a change. */
const FEWEST_ROUNDS = 3
const SMALLEST_CHANGE = 0.02

/**
 * Whether pairs of one figure, each of one round, show a change from `before` to `now`: every round must show the same direction, and
 * the median of the ratios be further from 1 than the figures of either side are apart among themselves.
 */
export const changed = (
  pairs: ReadonlyArray<{ readonly now: number; readonly before: number }>,
  better: Better
): "better" | "worse" | "no difference seen" => {
  const ratios = pairs.map(({ before, now }) => now / before)
  if (ratios.length < FEWEST_ROUNDS) return "no difference seen"
  const sameDirection = Math.min(...ratios) > 1 || Math.max(...ratios) < 1
  const apart = Math.max(...[pairs.map(({ now }) => now), pairs.map(({ before }) => before)].map(spread), SMALLEST_CHANGE)
  if (!sameDirection || Math.abs(median(ratios) - 1) <= apart) return "no difference seen"
  return median(ratios) > 1 === (better === "higher") ? "better" : "worse"
}

/** What the machine was like around one round. */
export interface Conditions {
  /** Load average of the minute before. */
  readonly load: number
  /** Share of all cores that was busy while the bench did nothing. */
  readonly othersBusy: number
  /** Milliseconds of the same loop before and after the round. */
  readonly calibration: readonly [before: number, after: number]
}

const MOST_BUSY = 0.05
const MOST_CALIBRATION_SPREAD = 0.1
/** If the figures of stock Celery differ by more than this share between rounds, a ratio to them says little. */
export const MOST_STOCK_SPREAD = 0.2

const percent = (share: number) => `${Math.round(share * 100)} %`

/** Why the machine was too noisy to judge by; empty when it was quiet. */
export const noise = (rounds: ReadonlyArray<Conditions>): ReadonlyArray<string> => {
  const busiest = Math.max(...rounds.map(({ othersBusy }) => othersBusy))
  const loops = spread(rounds.flatMap(({ calibration }) => calibration))
  return [
    ...(busiest > MOST_BUSY ? [`other processes took up to ${percent(busiest)} of the processors`] : []),
    ...(loops > MOST_CALIBRATION_SPREAD ? [`the same loop took times that lie ${percent(loops)} apart`] : []),
    ...(rounds.length < FEWEST_ROUNDS ? [`${rounds.length} of at least ${FEWEST_ROUNDS} rounds`] : [])
  ]
}
