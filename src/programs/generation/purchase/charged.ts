import { Effect, Option } from "effect"
import { Catalogue, costOf } from "../../../services/Catalogue.ts"
import type { Generation } from "../../../services/Journal.ts"
import { Metrics, type Use } from "../../../services/Metrics.ts"
import * as NanoDollars from "../../../services/NanoDollars.ts"
import type { Knowledge } from "../../task/Task.ts"

/** Counts what fal charges for one request: one unit if fal did not say how many. `use`: whether a task got its picture. */
export const charged = Effect.fnUntraced(function* (
  { knowledge }: { readonly knowledge: Knowledge },
  { endpoint, input }: Pick<Generation, "endpoint" | "input">,
  use: Use,
  billableUnits: number | null
) {
  const metrics = yield* Metrics
  if (billableUnits === 0) return
  yield* metrics.count("billable_units_total", { endpoint, use }, billableUnits ?? 1)
  const price = (yield* Catalogue).priceOf(endpoint)
  if (Option.isNone(price)) return
  const { amount } = costOf(price.value, input, billableUnits)
  knowledge.cost = NanoDollars.sum([knowledge.cost ?? NanoDollars.zero, amount])
  yield* metrics.count("spent_dollars_total", { endpoint, use }, NanoDollars.toUsd(amount))
})
