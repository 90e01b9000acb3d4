/** Pictures that are texts, for tests that need no decoder. */
import { Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import { type Examined, type Mark, NoPicture, Pictures } from "../src/services/Pictures.ts"

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
export const bytesOf = (text: string) => new Uint8Array(Buffer.from(text))

/** What a text that is a picture begins with, and one that is not whole ends with. */
const PICTURE = "a picture"
export const BROKEN_OFF = " broken off"
const [width, height] = [768, 1024]

/** The text with its mark: trainedAlgorithmicMedia, as files say it. */
export const marked = (text: string, { createdAt, id, model }: Mark) =>
  text.includes("trainedAlgorithmicMedia") ? text : `${text}, trainedAlgorithmicMedia by ${model}, ${id}, ${createdAt}`

/** What the examination of this text finds, if it is a picture. */
export const examined = (text: string, mark: Mark): Examined => {
  const bytes = bytesOf(marked(text, mark))
  return {
    contentType: "image/jpeg",
    extension: "jpg",
    width,
    height,
    bytes,
    unsigned: null,
    sha256: sha256(bytes),
    thumbnail: bytesOf(marked(`${text}, small`, mark)),
    thumbhash: "a hash",
    phash: "0123456789abcdef"
  }
}

/** The decoder of texts. */
export const pictures: Pictures["Service"] = {
  examine: (bytes, expected) => {
    const text = Buffer.from(bytes).toString()
    if (!text.startsWith(PICTURE)) return Effect.fail(new NoPicture({ reason: "not a picture", detail: text }))
    if (text.endsWith(BROKEN_OFF)) return Effect.fail(new NoPicture({ reason: "truncated", detail: text }))
    if ((expected.width ?? width) !== width || (expected.height ?? height) !== height)
      return Effect.fail(new NoPicture({ reason: "other dimensions", detail: `${width} × ${height} pixels` }))
    return Effect.succeed(examined(text, expected.mark))
  }
}
export const layer = Layer.succeed(Pictures, pictures)
