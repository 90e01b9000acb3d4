/**
 * The process that decodes pictures for a worker. It does the worker no harm: libvips keeps its memory here, and a file made to
 * crash a decoder crashes this process. It knows no secret (its environment is empty) and ends with the worker's channel.
 */
import { rgbaToThumbHash } from "thumbhash"
import { answering } from "./answering.ts"
import type { Answer, Order } from "./Examination.ts"
import { phash, SIDE } from "./phash.ts"

/** Longest side of a thumbnail, and of what a placeholder is made from, in pixels. */
const THUMBNAIL = 512
const PLACEHOLDER = 100
/** Levels of 256 that a channel of a picture of one colour may spread over: compression leaves some. */
const SPREAD = 8

const begin = async () => {
  const { default: sharp } = await import("sharp")
  sharp.cache(false)
  sharp.concurrency(1)

  const examine = async ({ bytes, order, pixels }: Order): Promise<Answer> => {
    // Of a JPEG that lacks part of its data and has an end the decoder only warns, and paints the rest grey.
    const picture = () => sharp(bytes, { failOn: "warning", limitInputPixels: pixels })
    const { channels } = await picture().stats()
    const [, , , alpha] = channels
    if (alpha?.max === 0) return { order, flaw: "one colour", detail: "every pixel is transparent" }
    if (channels.every(({ max, min }) => max - min <= SPREAD)) {
      const colour = channels.map(({ mean }) => Math.round(mean)).join(", ")
      return { order, flaw: "one colour", detail: `every pixel is about (${colour})` }
    }
    const thumbnail = await picture()
      .autoOrient()
      .resize({ width: THUMBNAIL, height: THUMBNAIL, fit: "inside", withoutEnlargement: true })
      .webp({ quality: 82, effort: 2 }) // a third of the time of the default effort, for files somewhat larger
      .toBuffer()
    const placeholder = await sharp(thumbnail)
      .resize({ width: PLACEHOLDER, height: PLACEHOLDER, fit: "inside" })
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    const grey = await sharp(thumbnail)
      .flatten()
      .greyscale()
      .resize({ width: SIDE, height: SIDE, fit: "fill" })
      .extractChannel(0)
      .raw()
      .toBuffer()
    return {
      order,
      flaw: null,
      thumbnail,
      thumbhash: Buffer.from(rgbaToThumbHash(placeholder.info.width, placeholder.info.height, placeholder.data)).toString(
        "base64"
      ),
      phash: phash(grey)
    }
  }
  return examine
}

answering(begin, (order: Order, detail): Answer => ({ order: order.order, flaw: "cannot be decoded", detail }))
