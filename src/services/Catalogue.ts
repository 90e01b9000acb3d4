import { Context, Option, type Schema } from "effect"
import type * as NanoDollars from "./NanoDollars.ts"

/** In pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}
/** The whole of a person, upright. It is less than one megapixel, the least that a provider bills. */
export const PORTRAIT: Size = { width: 768, height: 1024 }

/**
 * What a task asks for, in no provider's words. The same seed and words give the same picture again, where the model allows it.
 */
export type PictureRequest =
  | { readonly _tag: "Generate"; readonly prompt: string; readonly seed: number; readonly size: Size }
  | {
      readonly _tag: "Edit"
      readonly prompt: string
      readonly seed: number
      /** The picture to edit: an http or data URL. */
      readonly source: string
      /** How far the edit may go from it, above 0 to 1; null leaves that to the model. */
      readonly strength: number | null
    }

/**
 * A request in the provider's own words. The journal keeps it as it is, so that a request whose answer was lost is made again
 * byte for byte the same, by a worker of another version too.
 */
export interface ProviderRequest {
  readonly endpoint: string
  readonly input: Schema.JsonObject
}

/** How many units a request will be billed for: probably, and at most. The input does not always tell. */
export interface Units {
  readonly likely: number
  readonly most: number
}

/**
 * A model's list price: a function of the request. What an account really pays is on its bill. Megapixels are counted for each
 * picture and rounded up.
 */
export interface Price {
  readonly unit: "megapixel" | "picture" | "second" | "token"
  /** One unit of the plainest request. */
  readonly each: NanoDollars.NanoDollars
  readonly unitsOf: (input: Schema.JsonObject) => Units
  readonly ofUnits: (units: number, input: Schema.JsonObject) => NanoDollars.NanoDollars
  /** The page where it was read, and the day. */
  readonly source: string
  readonly readOn: string
}

/** Where the figure of a cost comes from: our estimate, or the units that the provider says it charges. */
export const COST_SOURCES = ["estimate", "units"] as const
export interface Cost {
  readonly amount: NanoDollars.NanoDollars
  readonly source: (typeof COST_SOURCES)[number]
}

/** What a request costs, by the units that the provider says it charges: an estimate where it does not say. */
export const costOf = (price: Price, input: Schema.JsonObject, units: number | null): Cost =>
  units === null
    ? { amount: price.ofUnits(price.unitsOf(input).likely, input), source: "estimate" }
    : { amount: price.ofUnits(units, input), source: "units" }

/**
 * The models that the provider offers: which ones the settings choose, how each is asked, and what it costs. Sends no request.
 */
export class Catalogue extends Context.Service<
  Catalogue,
  {
    /** The endpoint that the settings choose for each kind of request. */
    readonly endpoints: Readonly<Record<PictureRequest["_tag"], string>>
    /** The request as this endpoint wants it. */
    readonly inputOf: (request: PictureRequest, endpoint: string) => Schema.JsonObject
    /** None for a model whose price is not known. */
    readonly priceOf: (endpoint: string) => Option.Option<Price>
    /** Whether it may be asked though its price is not known (FAL_UNPRICED_MODELS). */
    readonly mayBeUnpriced: (endpoint: string) => boolean
  }
>()("model-generator/services/Catalogue") {}

/** The most that a request can cost by its list price; `undefined` where there is none. */
export const upperPrice = (
  { priceOf }: Pick<Catalogue["Service"], "priceOf">,
  { endpoint, input }: ProviderRequest
): NanoDollars.NanoDollars | undefined =>
  Option.getOrUndefined(Option.map(priceOf(endpoint), (price) => price.ofUnits(price.unitsOf(input).most, input)))
