import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Catalogue, PORTRAIT, priceOfPicture, type PictureRequest } from "../../src/services/Catalogue.ts"
import * as FalCatalogue from "../../src/layers/fal/FalCatalogue.ts"
import { settings } from "../support.ts"

const catalogue = Effect.provide(
  Catalogue,
  Layer.fresh(FalCatalogue.layer).pipe(Layer.provide(settings({ FAL_MODEL: "workflows/acme/lookbook" })))
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
  it.effect("counts the megapixels of a picture, rounded up", () =>
    Effect.gen(function* () {
      const { priceOf } = yield* catalogue
      const dev = Option.getOrThrow(priceOf("fal-ai/flux/dev"))
      assert.strictEqual(priceOfPicture(dev, PORTRAIT), 0.025)
      assert.strictEqual(priceOfPicture(dev, { width: 1080, height: 1920 }), 0.025 * 3)
    })
  )
  it.effect("may be for a picture of any size", () =>
    Effect.gen(function* () {
      const { priceOf } = yield* catalogue
      const kontext = Option.getOrThrow(priceOf("fal-ai/flux-pro/kontext"))
      assert.strictEqual(priceOfPicture(kontext, { width: 1080, height: 1920 }), 0.04)
    })
  )
  it.effect("is not known of every model", () =>
    Effect.gen(function* () {
      const { priceOf } = yield* catalogue
      for (const endpoint of ["workflows/acme/lookbook", "constructor"]) assert.isTrue(Option.isNone(priceOf(endpoint)))
    })
  )
})
