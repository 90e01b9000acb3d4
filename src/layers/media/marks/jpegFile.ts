import { Result } from "effect"
import type { Read } from "./PictureFile.ts"

const [EOI, SOS, APP0, APP1, APP11] = [0xd9, 0xda, 0xe0, 0xe1, 0xeb]
const XMP = Buffer.from("http://ns.adobe.com/xap/1.0/\0", "latin1")
const EXIF = Buffer.from("Exif\0", "latin1")
/** A segment's length is two bytes and counts itself. */
const LONGEST = 0xffff - 2

/** Markers without a length: TEM, and the restarts. */
const isBare = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)
/** SOF0 to SOF15 hold the dimensions; DHT, JPG and DAC have numbers between them. */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc

const segment = (packet: Buffer): Buffer | undefined => {
  const content = Buffer.concat([XMP, packet])
  if (content.length > LONGEST) return undefined
  const head = Buffer.from([0xff, APP1, 0, 0])
  head.writeUInt16BE(content.length + 2, 2)
  return Buffer.concat([head, content])
}

/** The segments of a JPEG before its pixels. XMP is the APP1 that begins with Adobe's name; C2PA is in APP11, as JUMBF boxes. */
export const readJpeg = (file: Buffer): Read => {
  let at = 2
  let size: readonly [width: number, height: number] | undefined
  let xmp: readonly [from: number, to: number] | undefined
  let signed = false
  /** Where JFIF and Exif end, which must come first. */
  let front = at
  for (;;) {
    while (file[at] === 0xff && file[at + 1] === 0xff) at++
    if (at + 4 > file.length) return Result.fail("truncated")
    const marker = file[at + 1]!
    if (file[at] !== 0xff || marker === EOI) return Result.fail("cannot be decoded")
    if (isBare(marker)) {
      at += 2
      continue
    }
    const content = at + 4
    const end = at + 2 + file.readUInt16BE(at + 2)
    if (end < content) return Result.fail("cannot be decoded")
    if (end > file.length) return Result.fail("truncated")
    if (marker === SOS) break
    const begins = (text: Buffer) => file.subarray(content, Math.min(end, content + text.length)).equals(text)
    if (isFrame(marker)) {
      if (end < content + 5) return Result.fail("cannot be decoded")
      size ??= [file.readUInt16BE(content + 3), file.readUInt16BE(content + 1)]
    } else if (marker === APP1 && begins(XMP)) xmp ??= [at, end]
    else if (marker === APP11 && file.subarray(content, end).includes("c2pa", 0, "latin1")) signed = true
    if (front === at && (marker === APP0 || (marker === APP1 && begins(EXIF)))) front = end
    at = end
  }
  if (size === undefined) return Result.fail("cannot be decoded")
  if (file.lastIndexOf(Buffer.from([0xff, EOI])) < at) return Result.fail("truncated")
  const [width, height] = size
  return Result.succeed({
    contentType: "image/jpeg",
    width,
    height,
    packet: xmp && file.subarray(xmp[0] + 4 + XMP.length, xmp[1]),
    signed,
    put: (packet, where) => {
      const added = segment(packet)
      if (added === undefined) return undefined
      const from = xmp === undefined || where === "before" ? front : xmp[0]
      const to = xmp === undefined || where === "before" ? front : xmp[1]
      return Buffer.concat([file.subarray(0, from), added, file.subarray(to)])
    }
  })
}
