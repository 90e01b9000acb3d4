import { Effect, Layer, Option, Schema } from "effect"
import { Catalogue, type PictureRequest, type Price, type Size } from "../../services/Catalogue.ts"
import { sum, times, usd } from "../../services/NanoDollars.ts"
import * as Settings from "../../services/Settings.ts"

/** fal's names for sizes. */
const SIZES: Readonly<Record<string, Size>> = {
  square_hd: { width: 1024, height: 1024 },
  square: { width: 512, height: 512 },
  portrait_4_3: { width: 768, height: 1024 },
  portrait_16_9: { width: 576, height: 1024 },
  landscape_4_3: { width: 1024, height: 768 },
  landscape_16_9: { width: 1024, height: 576 }
}
/** The size that an input asks for. An edit asks for none: its picture is as large as its source. */
const sizeIn = ({ image_size: size }: Schema.JsonObject): Size | undefined => {
  if (typeof size === "string") return Object.hasOwn(SIZES, size) ? SIZES[size] : undefined
  return Schema.is(Schema.Struct({ width: Schema.Finite, height: Schema.Finite }))(size) ? size : undefined
}
const countIn = ({ num_images: count }: Schema.JsonObject) => (typeof count === "number" ? Math.max(1, count) : 1)

/** FLUX makes no larger picture (megapixels): the most that an edit is billed for, as its input does not tell the size. */
const LARGEST = 4

type Rates = Pick<Price, "unit" | "each" | "unitsOf" | "ofUnits">

/** The first megapixel of a request may have a price of its own. `alsoInputs`: the picture to edit is billed too. */
const megapixels = (first: string, further = first, alsoInputs = false): Rates => {
  const [each, more] = [usd(first), usd(further)]
  return {
    unit: "megapixel",
    each,
    unitsOf: (input) => {
      const size = sizeIn(input)
      const known = size === undefined ? undefined : Math.ceil((size.width * size.height) / 1_000_000)
      const pictures = countIn(input)
      const inputs = alsoInputs ? 1 : 0
      return { likely: (known ?? 1) * pictures + inputs, most: (known ?? LARGEST) * pictures + inputs * LARGEST }
    },
    ofUnits: (units) => sum([times(each, Math.min(units, 1)), times(more, Math.max(0, units - 1))])
  }
}

/** A picture of any size, times the factor of the resolution that the input asks for. */
const pictures = (dollars: string, factors: Readonly<Record<string, number>> = {}): Rates => {
  const each = usd(dollars)
  return {
    unit: "picture",
    each,
    unitsOf: (input) => ({ likely: countIn(input), most: countIn(input) }),
    ofUnits: (units, { resolution }) =>
      times(each, units * (typeof resolution === "string" && Object.hasOwn(factors, resolution) ? factors[resolution]! : 1))
  }
}

const BY_RESOLUTION = { "0.5K": 0.75, "1K": 1, "2K": 1.5, "4K": 2 }
const READ_ON = "2026-11-25"

/** As they stood on each model's page. */
const rates: Readonly<Record<string, Rates>> = {
  "fal-ai/flux/dev": megapixels("0.025"),
  "fal-ai/flux/schnell": megapixels("0.003"),
  "fal-ai/flux/dev/image-to-image": megapixels("0.03"),
  "fal-ai/flux-pro/kontext": pictures("0.04"),
  "fal-ai/flux-2/klein/9b": megapixels("0.006"),
  "fal-ai/flux-2/turbo": megapixels("0.008"),
  "fal-ai/flux-2-pro": megapixels("0.03", "0.015"),
  "fal-ai/flux-2-pro/edit": megapixels("0.03", "0.015", true),
  "fal-ai/nano-banana-2": pictures("0.08", BY_RESOLUTION),
  "fal-ai/nano-banana-2/edit": pictures("0.08", BY_RESOLUTION)
}
/** The models whose price is known. */
export const priced: ReadonlyArray<string> = Object.keys(rates)
const priceOf = (endpoint: string): Option.Option<Price> =>
  Object.hasOwn(rates, endpoint)
    ? Option.some({ ...rates[endpoint]!, source: `https://fal.ai/models/${endpoint}`, readOn: READ_ON })
    : Option.none()

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

const unpriced = (name: string, endpoint: string) =>
  `${name} is ${endpoint}, whose price is not known here: nothing is bought from it unless FAL_UNPRICED_MODELS names it`

/** fal's models, as far as this worker uses them. Fails where the settings choose one without a price that may not be bought. */
export const layer = Layer.effect(
  Catalogue,
  Effect.gen(function* () {
    const settings = yield* Settings.of("FAL_MODEL", "FAL_EDIT_MODEL", "FAL_UNPRICED_MODELS")
    const mayBeUnpriced = (endpoint: string) => settings.FAL_UNPRICED_MODELS.includes(endpoint)
    const problems = (["FAL_MODEL", "FAL_EDIT_MODEL"] as const)
      .filter((name) => Option.isNone(priceOf(settings[name])) && !mayBeUnpriced(settings[name]))
      .map((name) => unpriced(name, settings[name]))
    if (problems.length > 0) return yield* new Settings.BadSettings({ problems })
    return Catalogue.of({
      endpoints: { Generate: settings.FAL_MODEL, Edit: settings.FAL_EDIT_MODEL },
      inputOf,
      priceOf,
      mayBeUnpriced
    })
  })
)
