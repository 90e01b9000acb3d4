import { Effect } from "effect"
import { Metrics, type Use } from "../../services/Metrics.ts"
import { costOf } from "./price.ts"

/** Counts what fal charges for one request: one unit where fal did not say how many. `use` is whether a task got its picture. */
export const charged = Effect.fnUntraced(function* (endpoint: string, use: Use, billableUnits: number | null) {
  const metrics = yield* Metrics
  const units = billableUnits ?? 1
  if (units === 0) return
  yield* metrics.count("billable_units_total", { endpoint, use }, units)
  const price = costOf(endpoint, 1).per_picture
  if (price !== null) yield* metrics.count("spent_dollars_total", { endpoint, use }, units * price)
})
