import { Context, type Option, type Schema } from "effect"

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

/** A list price, as it stood on the source's page at that time. What an account really pays is on its bill. */
export interface Price {
  /** US dollars for one unit. */
  readonly usd: number
  /** Megapixels are counted for each picture and rounded up. */
  readonly unit: "megapixel" | "picture"
  readonly source: string
  /** Year and month. */
  readonly asOf: string
}

/** The list price of one picture of this size (US dollars). */
export const priceOfPicture = ({ unit, usd }: Price, { height, width }: Size): number =>
  unit === "picture" ? usd : usd * Math.ceil((width * height) / 1_000_000)

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
  }
>()("model-generator/services/Catalogue") {}
