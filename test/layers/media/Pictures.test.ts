import sharp from "sharp"
import * as PicturesProcess from "../../../src/layers/media/PicturesProcess.ts"
import { picturesContract } from "../../contracts/pictures.ts"
import { BROKEN_OFF, bytesOf, layer } from "../../textPictures.ts"

/** A picture of waves, one for each number. */
const waves = (tilt: number) => {
  const [width, height] = [768, 1024]
  const pixels = Buffer.alloc(width * height * 3)
  for (let at = 0; at < pixels.length; at++) pixels[at] = 128 + 100 * Math.sin((at / width) * tilt)
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg()
    .toBuffer()
}

picturesContract("PicturesProcess", PicturesProcess.layer, async () => {
  const [one, other] = [await waves(0.01), await waves(0.02)]
  return { one, other, noPicture: bytesOf("<!doctype html>"), truncated: one.subarray(0, -100) }
})

picturesContract("the pictures of tests", layer, async () => ({
  one: bytesOf("a picture"),
  other: bytesOf("a picture of somebody else"),
  noPicture: bytesOf("<!doctype html>"),
  truncated: bytesOf(`a picture${BROKEN_OFF}`)
}))
