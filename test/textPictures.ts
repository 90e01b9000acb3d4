/** Pictures that are texts, for tests that need no decoder. */
import { createHash } from "node:crypto"
import type { Examined } from "../src/services/Pictures.ts"

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
export const bytesOf = (text: string) => new Uint8Array(Buffer.from(text))

/** What the examination of this text finds, if it is a picture. */
export const examined = (text: string): Examined => {
  const marked = bytesOf(`${text}, marked`)
  return {
    contentType: "image/jpeg",
    extension: "jpg",
    width: 768,
    height: 1024,
    bytes: marked,
    sha256: sha256(marked),
    thumbnail: bytesOf(`${text}, small`),
    thumbhash: "a hash",
    phash: "0123456789abcdef"
  }
}
