import { Result } from "effect"
import * as zlib from "node:zlib" // not by name: an older Node lacks `crc32` and would end before it is told its version
import type { Read } from "./PictureFile.ts"

const KEYWORD = Buffer.from("XML:com.adobe.xmp\0", "latin1")
/** Length, name and checksum of a chunk. */
const FRAME = 12
const HEADER = 13
/** The format gives a length 31 bits. */
const LONGEST = 0x7fffffff
/** A packet that unpacks to more than this is left alone. */
const MOST_UNPACKED = 1024 * 1024

const chunk = (name: string, content: Buffer): Buffer => {
  const made = Buffer.alloc(content.length + FRAME)
  made.writeUInt32BE(content.length, 0)
  made.write(name, 4, "latin1")
  content.copy(made, 8)
  made.writeUInt32BE(zlib.crc32(made.subarray(4, 8 + content.length)), 8 + content.length)
  return made
}

const unpacked = (packed: Buffer): Buffer | undefined => {
  try {
    return zlib.inflateSync(packed, { maxOutputLength: MOST_UNPACKED })
  } catch {
    return undefined
  }
}

/** Where XMP is found: iTXt as its specification says; the others as libvips and older writers do. */
const texts: Partial<Record<string, (content: Buffer) => Buffer | undefined>> = {
  tEXt: (content) => content,
  /** How it is packed, in one byte. */
  zTXt: (content) => unpacked(content.subarray(1)),
  /** Whether it is packed, how, a language and a translated keyword, each of the two ended by a zero. */
  iTXt: (content) => {
    const text = content.indexOf(0, content.indexOf(0, 2) + 1) + 1
    const rest = content.subarray(text === 0 ? content.length : text)
    return content[0] === 1 ? unpacked(rest) : rest
  }
}

/** The chunks of a PNG. XMP is the text with Adobe's keyword; C2PA is in a chunk `caBX`. */
export const readPng = (file: Buffer): Read => {
  let at = 8
  let packet: Buffer | undefined
  let place: readonly [from: number, to: number] | undefined
  let signed = false
  for (let name = ""; name !== "IEND";) {
    if (at + FRAME > file.length) return Result.fail("truncated")
    const length = file.readUInt32BE(at)
    const end = at + FRAME + length
    name = file.toString("latin1", at + 4, at + 8)
    if (length > LONGEST || (at === 8) !== (name === "IHDR")) return Result.fail("cannot be decoded")
    if (name === "IHDR" && length !== HEADER) return Result.fail("cannot be decoded")
    if (end > file.length) return Result.fail("truncated")
    const content = file.subarray(at + 8, end - 4)
    const text = texts[name]
    if (text !== undefined && place === undefined && content.subarray(0, KEYWORD.length).equals(KEYWORD)) {
      packet = text(content.subarray(KEYWORD.length))
      place = [at, end]
    }
    signed ||= name === "caBX"
    at = end
  }
  const front = 8 + FRAME + HEADER
  return Result.succeed({
    contentType: "image/png",
    width: file.readUInt32BE(16),
    height: file.readUInt32BE(20),
    packet,
    signed,
    put: (packet, where) => {
      const [from, to] = place === undefined || where === "before" ? [front, front] : place
      const added = chunk("iTXt", Buffer.concat([KEYWORD, Buffer.alloc(4), packet]))
      return Buffer.concat([file.subarray(0, from), added, file.subarray(to)])
    }
  })
}
