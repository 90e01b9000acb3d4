import { Effect, Option } from "effect"
import { Catalogue } from "../../../services/Catalogue.ts"
import { Metrics, type Use } from "../../../services/Metrics.ts"
import type { Knowledge } from "../../task/Task.ts"

/** Counts what fal charges for one request: one unit if fal did not say how many. `use`: whether a task got its picture. */
export const charged = Effect.fnUntraced(function* (
  { knowledge }: { readonly knowledge: Knowledge },
  endpoint: string,
  use: Use,
  billableUnits: number | null
) {
  const metrics = yield* Metrics
  const units = billableUnits ?? 1
  if (units === 0) return
  yield* metrics.count("billable_units_total", { endpoint, use }, units)
  const price = (yield* Catalogue).priceOf(endpoint)
  if (Option.isNone(price)) return
  const usd = units * price.value.usd
  knowledge.costUsd = (knowledge.costUsd ?? 0) + usd
  yield* metrics.count("spent_dollars_total", { endpoint, use }, usd)
})
