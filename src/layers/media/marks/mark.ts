import { Result } from "effect"
import type { Mark, Reason } from "../../../services/Pictures.ts"
import { readJpeg } from "./jpegFile.ts"
import type { PictureFile } from "./PictureFile.ts"
import { readPng } from "./pngFile.ts"
import { readWebp } from "./webpFile.ts"
import * as Xmp from "./Xmp.ts"

const PNG = Buffer.from("\x89PNG\r\n\x1a\n", "latin1")

/** Told by the first bytes alone: what a server says of its file is not asked. */
export const readPicture = (bytes: Uint8Array): Result.Result<PictureFile, Reason> => {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file[0] === 0xff && file[1] === 0xd8 && file[2] === 0xff) return readJpeg(file)
  if (file.subarray(0, 8).equals(PNG)) return readPng(file)
  if (file.length >= 12 && file.toString("latin1", 0, 4) === "RIFF" && file.toString("latin1", 8, 12) === "WEBP")
    return readWebp(file)
  return Result.fail("not a picture")
}

/**
 * The file with the mark in its XMP, and no compressed pixel touched. A file with a C2PA manifest stays as it is, for the
 * manifest signs the whole of it. Marked again, a file stays as it is.
 */
export const marked = (picture: PictureFile, bytes: Uint8Array, mark: Mark): Uint8Array => {
  if (picture.signed) return bytes
  const merged = picture.packet && Xmp.merged(picture.packet, mark)
  if (merged !== undefined && merged === picture.packet) return bytes
  // A packet that cannot be added to, or has become too long, stays behind one of ours.
  return (merged && picture.put(merged, "instead")) ?? picture.put(Xmp.packet(mark), "before") ?? bytes
}
