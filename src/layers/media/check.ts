import { Result } from "effect"
import { type Expected, NoPicture } from "../../services/Pictures.ts"
import { readPicture } from "./marks/mark.ts"
import type { PictureFile } from "./marks/PictureFile.ts"

/** fal's schema allows 14,142 pixels a side; what is made for us has one to four million. */
export const MOST_PIXELS = 64 * 1024 * 1024
const MOST_BYTES = 64 * 1024 * 1024

/** What can be told without decoding: the format, that the file has an end, and its dimensions. */
export const check = (bytes: Uint8Array, expected: Pick<Expected, "height" | "width">): Result.Result<PictureFile, NoPicture> => {
  if (bytes.length > MOST_BYTES) return Result.fail(new NoPicture({ reason: "too large", detail: `${bytes.length} bytes` }))
  const read = readPicture(bytes)
  if (Result.isFailure(read))
    return Result.fail(new NoPicture({ reason: read.failure, detail: `${bytes.length} bytes${beginning(bytes)}` }))
  const { height, width } = read.success
  if (width * height > MOST_PIXELS)
    return Result.fail(new NoPicture({ reason: "too large", detail: `${width} × ${height} pixels` }))
  if (width !== (expected.width ?? width) || height !== (expected.height ?? height)) {
    const wanted = `${expected.width ?? "any"} × ${expected.height ?? "any"}`
    return Result.fail(new NoPicture({ reason: "other dimensions", detail: `${width} × ${height} pixels instead of ${wanted}` }))
  }
  return Result.succeed(read.success)
}

/** What a person recognises a page of HTML or an error in JSON by. */
const beginning = (bytes: Uint8Array) => {
  const text = Buffer.from(bytes.subarray(0, 40)).toString("latin1")
  return /^[\t\n\r -~]+$/.test(text) ? `, begins with ${JSON.stringify(text)}` : ""
}
