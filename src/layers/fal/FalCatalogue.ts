import { Effect, Layer, Option, type Schema } from "effect"
import { Catalogue, type PictureRequest, type Price, type Size } from "../../services/Catalogue.ts"
import * as Settings from "../../services/Settings.ts"

const listed = (unit: Price["unit"], usd: number, endpoint: string): Price => ({
  usd,
  unit,
  source: `https://fal.ai/models/${endpoint}`,
  asOf: "2026-11"
})

const prices: Readonly<Record<string, Price>> = Object.fromEntries(
  (
    [
      ["megapixel", 0.025, "fal-ai/flux/dev"],
      ["megapixel", 0.003, "fal-ai/flux/schnell"],
      ["megapixel", 0.03, "fal-ai/flux/dev/image-to-image"],
      ["picture", 0.04, "fal-ai/flux-pro/kontext"],
      ["megapixel", 0.006, "fal-ai/flux-2/klein/9b"],
      ["megapixel", 0.008, "fal-ai/flux-2/turbo"]
    ] as const
  ).map(([unit, usd, endpoint]) => [endpoint, listed(unit, usd, endpoint)])
)

/** fal's models have names for some sizes, and take others as they are. */
const sizeOf = ({ height, width }: Size): Schema.Json => (width === 768 && height === 1024 ? "portrait_4_3" : { width, height })

/** One JPEG. fal's safety checker blackens a picture that should not be shown, and reports it. */
const output = { num_images: 1, output_format: "jpeg", enable_safety_checker: true }

/** The input of FLUX and of the models that follow it; an endpoint that we do not know is asked like these. */
const inputOf = (request: PictureRequest): Schema.JsonObject => {
  switch (request._tag) {
    case "Generate":
      return { prompt: request.prompt, seed: request.seed, image_size: sizeOf(request.size), ...output }
    case "Edit":
      return {
        prompt: request.prompt,
        image_url: request.source,
        seed: request.seed,
        ...output,
        ...(request.strength === null ? {} : { strength: request.strength })
      }
  }
}

/** fal's models, as far as this worker uses them. */
export const layer = Layer.effect(
  Catalogue,
  Effect.map(Settings.of("FAL_MODEL", "FAL_EDIT_MODEL"), ({ FAL_EDIT_MODEL, FAL_MODEL }) =>
    Catalogue.of({
      endpoints: { Generate: FAL_MODEL, Edit: FAL_EDIT_MODEL },
      inputOf,
      priceOf: (endpoint) => (Object.hasOwn(prices, endpoint) ? Option.fromNullishOr(prices[endpoint]) : Option.none())
    })
  )
)
