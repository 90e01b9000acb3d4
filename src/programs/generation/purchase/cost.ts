import { Option } from "effect"
import { type Price, priceOfPicture, type Size } from "../../../services/Catalogue.ts"

/** An estimate from the list price, never a bill. */
export interface Cost {
  readonly model: string
  readonly currency: "USD"
  /** null for a model whose price we do not know. */
  readonly per_picture: number | null
  readonly total: number | null
}

export const costOf = (model: string, price: Option.Option<Price>, size: Size, pictures: number): Cost => {
  const each = Option.getOrNull(Option.map(price, (known) => priceOfPicture(known, size)))
  return { model, currency: "USD", per_picture: each, total: each === null ? null : Math.round(each * pictures * 1000) / 1000 }
}

export const describe = (cost: Cost, pictures: number) =>
  cost.per_picture === null || cost.total === null
    ? `cost unknown: no list price for ${cost.model} is known here`
    : `about $${cost.total.toFixed(3)}: ${pictures} x $${cost.per_picture} on ${cost.model} (an estimate from the list price)`
