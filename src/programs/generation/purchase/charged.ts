import { Effect, Option } from "effect"
import { Catalogue, costOf } from "../../../services/Catalogue.ts"
import type { Generation } from "../../../services/Journal.ts"
import { Metrics, type Use } from "../../../services/Metrics.ts"
import * as NanoDollars from "../../../services/NanoDollars.ts"
import type { Knowledge } from "../../task/Task.ts"

type Request = Pick<Generation, "endpoint" | "input">

/** What one request has cost, by the units that fal says it charges; undefined where the model's price is not known. */
export const costOfRequest = ({ endpoint, input }: Request, billableUnits: number | null) =>
  Effect.map(Catalogue, ({ priceOf }) =>
    Option.getOrUndefined(Option.map(priceOf(endpoint), (price) => costOf(price, input, billableUnits)))
  )

/**
 * Counts what fal charges for one request: one unit if fal did not say how many. `use`: whether a task got its picture. Gives what
 * it has cost, where the price is known.
 */
export const charged = Effect.fnUntraced(function* (
  { knowledge }: { readonly knowledge: Knowledge },
  request: Request,
  use: Use,
  billableUnits: number | null
) {
  const metrics = yield* Metrics
  const cost = (yield* costOfRequest(request, billableUnits))?.amount
  if (billableUnits === 0) return cost
  const { endpoint } = request
  yield* metrics.count("billable_units_total", { endpoint, use }, billableUnits ?? 1)
  if (cost === undefined) return cost
  knowledge.cost = NanoDollars.sum([knowledge.cost ?? NanoDollars.zero, cost])
  yield* metrics.count("spent_dollars_total", { endpoint, use }, NanoDollars.toUsd(cost))
  return cost
})
