import { Effect, Option } from "effect"
import { Catalogue, costOf, type PictureRequest, PORTRAIT } from "../../../services/Catalogue.ts"
import * as NanoDollars from "../../../services/NanoDollars.ts"

/** An estimate from the list price, never a bill. */
export interface Estimate {
  readonly model: string
  /** undefined for a model whose price we do not know. */
  readonly each: NanoDollars.NanoDollars | undefined
  readonly total: NanoDollars.NanoDollars | undefined
}

/** What so many pictures cost that are asked for like this one. */
export const estimate = (catalogue: Catalogue["Service"], request: PictureRequest, pictures: number): Estimate => {
  const model = catalogue.endpoints[request._tag]
  const price = Option.getOrUndefined(catalogue.priceOf(model))
  const each = price === undefined ? undefined : costOf(price, catalogue.inputOf(request, model), null).amount
  return { model, each, total: each === undefined ? undefined : NanoDollars.times(each, pictures) }
}

/** What so many models cost: they differ in their words only. */
export const estimateOf = (count: number) =>
  Effect.map(Catalogue, (catalogue) => estimate(catalogue, { _tag: "Generate", prompt: "", seed: 0, size: PORTRAIT }, count))

export const describe = ({ each, model, total }: Estimate, pictures: number) =>
  each === undefined || total === undefined
    ? `cost unknown: no list price for ${model} is known here`
    : `about ${NanoDollars.dollars(total)}: ${pictures} x ${NanoDollars.dollars(each)} on ${model} (an estimate from the list price)`

/** For a script. */
export const inJson = ({ each, model, total }: Estimate) => ({
  model,
  currency: "USD",
  per_picture: each === undefined ? null : NanoDollars.toUsd(each),
  total: total === undefined ? null : NanoDollars.toUsd(total)
})
