import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, type Schema } from "effect"
import { Catalogue, costOf, PORTRAIT, type PictureRequest, upperPrice } from "../../src/services/Catalogue.ts"
import * as NanoDollars from "../../src/services/NanoDollars.ts"
import * as FalCatalogue from "../../src/layers/fal/FalCatalogue.ts"
import { settings } from "../support.ts"

const OURS = "workflows/acme/lookbook"
const catalogue = Effect.provide(
  Catalogue,
  Layer.fresh(FalCatalogue.layer).pipe(Layer.provide(settings({ FAL_MODEL: OURS, FAL_UNPRICED_MODELS: OURS })))
)

describe("what fal is sent", () => {
  const source = "https://v3.fal.media/files/a.jpg"
  const edit = { _tag: "Edit", prompt: "a red coat", seed: 7, source } as const
  /** As production's Python workers sent it: recorded once, and never to be written anew. */
  const bodies: ReadonlyArray<readonly [what: string, request: PictureRequest, body: string]> = [
    [
      "a model",
      { _tag: "Generate", prompt: 'Fashion model, "x" é', seed: 2_147_483_646, size: PORTRAIT },
      `{"prompt":"Fashion model, \\"x\\" é","seed":2147483646,"image_size":"portrait_4_3","num_images":1,"output_format":"jpeg","enable_safety_checker":true}`
    ],
    [
      "an edit",
      { ...edit, strength: null },
      `{"prompt":"a red coat","image_url":"${source}","seed":7,"num_images":1,"output_format":"jpeg","enable_safety_checker":true}`
    ],
    [
      "an edit of a certain strength",
      { ...edit, strength: 0.4 },
      `{"prompt":"a red coat","image_url":"${source}","seed":7,"num_images":1,"output_format":"jpeg","enable_safety_checker":true,"strength":0.4}`
    ],
    [
      "a size that has no name there",
      { _tag: "Generate", prompt: "p", seed: 7, size: { width: 1080, height: 1920 } },
      `{"prompt":"p","seed":7,"image_size":{"width":1080,"height":1920},"num_images":1,"output_format":"jpeg","enable_safety_checker":true}`
    ]
  ]
  for (const [what, request, body] of bodies)
    it.effect(`for ${what} is the same byte for byte`, () =>
      Effect.gen(function* () {
        const { endpoints, inputOf } = yield* catalogue
        assert.strictEqual(JSON.stringify(inputOf(request, endpoints[request._tag])), body)
      })
    )

  it.effect("goes to the endpoint that the settings choose for its kind", () =>
    Effect.gen(function* () {
      const { endpoints } = yield* catalogue
      assert.deepStrictEqual(endpoints, { Generate: "workflows/acme/lookbook", Edit: "fal-ai/flux/dev/image-to-image" })
    })
  )
})

describe("a list price", () => {
  const portrait = { image_size: "portrait_4_3" }
  const inSize = (width: number, height: number) => ({ image_size: { width, height } })
  const edit = { image_url: "https://v3.fal.media/files/a.jpg" }
  /** What is likely and what is the most, in dollars. */
  const cases: ReadonlyArray<readonly [endpoint: string, input: Schema.JsonObject, likely: string, most: string]> = [
    ["fal-ai/flux/dev", portrait, "0.025", "0.025"],
    ["fal-ai/flux/dev", inSize(1080, 1920), "0.075", "0.075"],
    ["fal-ai/flux/dev", { ...inSize(1080, 1920), num_images: 2 }, "0.15", "0.15"],
    ["fal-ai/flux/dev", { seed: 1 }, "0.025", "0.10"],
    ["fal-ai/flux/dev", { image_size: "constructor" }, "0.025", "0.10"],
    ["fal-ai/flux/dev/image-to-image", edit, "0.03", "0.12"],
    ["fal-ai/flux-pro/kontext", inSize(1080, 1920), "0.04", "0.04"],
    ["fal-ai/flux-2-pro", portrait, "0.03", "0.03"],
    ["fal-ai/flux-2-pro", inSize(1080, 1920), "0.06", "0.06"],
    ["fal-ai/flux-2-pro/edit", edit, "0.045", "0.135"],
    ["fal-ai/nano-banana-2", portrait, "0.08", "0.08"],
    ["fal-ai/nano-banana-2", { resolution: "4K" }, "0.16", "0.16"],
    ["fal-ai/nano-banana-2", { resolution: "0.5K" }, "0.06", "0.06"],
    ["fal-ai/nano-banana-2", { resolution: "toString" }, "0.08", "0.08"]
  ]
  for (const [endpoint, input, likely, most] of cases)
    it.effect(`of ${endpoint} for ${JSON.stringify(input)} is $${likely}, at most $${most}`, () =>
      Effect.gen(function* () {
        const known = yield* catalogue
        const price = Option.getOrThrow(known.priceOf(endpoint))
        assert.deepStrictEqual(costOf(price, input, null), { amount: NanoDollars.usd(likely), source: "estimate" })
        assert.strictEqual(upperPrice(known, { endpoint, input }), NanoDollars.usd(most))
      })
    )

  it.effect("goes by the units that fal says it charges", () =>
    Effect.gen(function* () {
      const { priceOf } = yield* catalogue
      const by = (endpoint: string, units: number) => costOf(Option.getOrThrow(priceOf(endpoint)), portrait, units)
      assert.deepStrictEqual(by("fal-ai/flux/dev", 2), { amount: NanoDollars.usd("0.05"), source: "units" })
      assert.deepStrictEqual(by("fal-ai/flux/dev", 0.79), { amount: NanoDollars.usd("0.01975"), source: "units" })
      assert.deepStrictEqual(by("fal-ai/flux-2-pro", 3), { amount: NanoDollars.usd("0.06"), source: "units" })
      assert.deepStrictEqual(by("fal-ai/flux/dev", 0), { amount: NanoDollars.zero, source: "units" })
    })
  )
  it.effect("names its source and its day", () =>
    Effect.gen(function* () {
      const { priceOf } = yield* catalogue
      const { readOn, source, unit } = Option.getOrThrow(priceOf("fal-ai/flux/dev"))
      assert.deepStrictEqual([unit, source, readOn], ["megapixel", "https://fal.ai/models/fal-ai/flux/dev", "2026-11-25"])
    })
  )
  it.effect("is not known of every model", () =>
    Effect.gen(function* () {
      const known = yield* catalogue
      for (const endpoint of [OURS, "constructor"]) {
        assert.isTrue(Option.isNone(known.priceOf(endpoint)))
        assert.isUndefined(upperPrice(known, { endpoint, input: {} }))
      }
    })
  )
})

describe("a model without a price", () => {
  const started = (env: Readonly<Record<string, string>>) =>
    Effect.exit(Effect.provide(Catalogue, Layer.fresh(FalCatalogue.layer).pipe(Layer.provide(settings(env)))))

  it.effect("stops a program at its start, which names the setting and what would allow it", () =>
    Effect.gen(function* () {
      const exit = yield* started({ FAL_MODEL: OURS, FAL_EDIT_MODEL: "fal-ai/nothing" })
      const text = String(exit)
      for (const word of ["FAL_MODEL", OURS, "FAL_EDIT_MODEL", "fal-ai/nothing", "FAL_UNPRICED_MODELS"])
        assert.include(text, word)
      assert.isTrue(Exit.isFailure(exit))
    })
  )
  it.effect("may be named, and is bought from then", () =>
    Effect.gen(function* () {
      assert.isTrue(Exit.isSuccess(yield* started({ FAL_MODEL: OURS, FAL_UNPRICED_MODELS: `fal-ai/nothing, ${OURS}` })))
    })
  )
})
