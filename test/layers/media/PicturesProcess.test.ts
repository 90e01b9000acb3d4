import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Schedule } from "effect"
import { createHash } from "node:crypto"
import sharp from "sharp"
import * as PicturesProcess from "../../../src/layers/media/PicturesProcess.ts"
import { type Expected, Pictures } from "../../../src/services/Pictures.ts"

const expected: Expected = { width: null, height: null, mark: { model: "fal-ai/flux/dev", createdAt: 0, id: "request" } }

/** Waves that look like nothing else: other numbers give another picture. */
const waves = (width: number, height: number, tilt = 3) => {
  const pixels = Buffer.alloc(width * height * 3)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < 3; channel++)
        pixels[(y * width + x) * 3 + channel] = 128 + 100 * Math.sin((x / width) * tilt + (y / height) * (channel + tilt))
  return sharp(pixels, { raw: { width, height, channels: 3 } })
}
const promised = (bytes: Promise<Buffer>) => Effect.promise(() => bytes)
const examine = (bytes: Uint8Array, change: Partial<Expected> = {}) =>
  Effect.flatMap(Pictures, (pictures) => pictures.examine(bytes, { ...expected, ...change }))
const refusal = (bytes: Uint8Array, change: Partial<Expected> = {}) =>
  Effect.map(Effect.flip(examine(bytes, change)), (error) => (error._tag === "NoPicture" ? error.reason : error._tag))

const differing = (a: string, b: string) =>
  [...(BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(2)].filter((bit) => bit === "1").length

layer(PicturesProcess.layer, { excludeTestServices: true })("pictures examined in a process of their own", (it) => {
  for (const format of ["jpeg", "png", "webp"] as const) {
    it.effect(`are marked and given a thumbnail: ${format}`, () =>
      Effect.gen(function* () {
        const file = yield* promised(waves(768, 1024).toFormat(format).toBuffer())
        const examined = yield* examine(file, { width: 768, height: 1024 })
        assert.deepInclude(examined, {
          contentType: `image/${format}`,
          extension: format === "jpeg" ? "jpg" : format,
          width: 768,
          height: 1024
        })
        assert.strictEqual(examined.sha256, createHash("sha256").update(examined.bytes).digest("hex"))
        const metadata = yield* Effect.promise(() => sharp(examined.thumbnail).metadata())
        assert.deepInclude(metadata, { format: "webp", width: 384, height: 512 })
        for (const bytes of [examined.bytes, examined.thumbnail])
          assert.include(Buffer.from(bytes).toString("latin1"), "digitalsourcetype/trainedAlgorithmicMedia")
        assert.isBelow(Buffer.from(examined.thumbhash, "base64").length, 40)
        assert.match(examined.phash, /^[0-9a-f]{16}$/)
      })
    )
  }

  it.effect("come out the same each time, so that a picture has one name", () =>
    Effect.gen(function* () {
      const file = yield* promised(waves(200, 300).jpeg().toBuffer())
      const [one, other] = [yield* examine(file), yield* examine(file)]
      assert.deepStrictEqual(one, other)
    })
  )

  it.effect("have a perceptual hash that is near for one picture in other sizes and formats, and far for another", () =>
    Effect.gen(function* () {
      const hash = (file: Promise<Buffer>) =>
        Effect.map(
          Effect.flatMap(promised(file), (bytes) => examine(bytes)),
          ({ phash }) => phash
        )
      const one = yield* hash(waves(768, 1024).png().toBuffer())
      assert.isBelow(differing(one, yield* hash(waves(768, 1024).resize(300, 400).jpeg({ quality: 60 }).toBuffer())), 8)
      assert.isAbove(differing(one, yield* hash(waves(768, 1024, 11).png().toBuffer())), 12)
    })
  )

  it.effect("are refused for what they are instead", () =>
    Effect.gen(function* () {
      const jpeg = yield* promised(waves(300, 200).jpeg().toBuffer())
      const black = sharp({ create: { width: 300, height: 200, channels: 3, background: "black" } })
      const clear = sharp({ create: { width: 300, height: 200, channels: 4, background: "#0000" } })
      const bomb = sharp({ create: { width: 16_000, height: 16_000, channels: 3, background: "red" } })
      assert.strictEqual(yield* refusal(Buffer.from("<!doctype html>")), "not a picture")
      assert.strictEqual(yield* refusal(jpeg.subarray(0, jpeg.length - 99)), "truncated")
      assert.strictEqual(
        yield* refusal(Buffer.concat([jpeg.subarray(0, jpeg.length - 500), Buffer.from([0xff, 0xd9])])),
        "cannot be decoded"
      )
      assert.strictEqual(yield* refusal(yield* promised(black.jpeg().toBuffer())), "one colour")
      assert.strictEqual(yield* refusal(yield* promised(clear.png().toBuffer())), "one colour")
      assert.strictEqual(yield* refusal(yield* promised(bomb.png().toBuffer())), "too large")
      assert.strictEqual(yield* refusal(jpeg, { width: 300, height: 300 }), "other dimensions")
      yield* examine(jpeg, { width: 300, height: 200 })
    })
  )

  it.effect("may be spoilt anywhere: each is examined or refused, and the next one is well", () =>
    Effect.gen(function* () {
      const whole = yield* promised(waves(120, 90).png().toBuffer())
      for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
        const spoilt = Buffer.from(whole)
        for (let at = 40 + seed; at < spoilt.length - 16; at += 97) spoilt[at] = (spoilt[at]! * 31 + seed) & 0xff
        yield* Effect.ignore(examine(spoilt))
      }
      yield* examine(whole)
    })
  )
})

describe("the process that decodes pictures", () => {
  const children = () => process.getActiveResourcesInfo().filter((name) => name === "ProcessWrap").length

  const none = Effect.suspend(() => (children() === 0 ? Effect.void : Effect.fail("a decoder is there"))).pipe(
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeout("10 seconds")
  )

  it.live("is there only while there is work", () =>
    Effect.gen(function* () {
      const file = yield* promised(waves(60, 90).png().toBuffer())
      yield* none
      yield* examine(file)
      assert.strictEqual(children(), 1)
      yield* none
      yield* examine(file)
    }).pipe(Effect.provide(PicturesProcess.layerWith({ idle: Duration.millis(200) })))
  )

  it.live("is killed over a picture that takes too long, twice, and the picture is refused", () =>
    Effect.gen(function* () {
      const file = yield* promised(waves(60, 90).png().toBuffer())
      yield* none
      assert.strictEqual(yield* refusal(file), "breaks the decoder")
      yield* none
    }).pipe(Effect.provide(PicturesProcess.layerWith({ pictureLimit: Duration.millis(1) })))
  )
})
