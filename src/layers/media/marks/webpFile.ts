import { Result } from "effect"
import type { Flaw, Read } from "./PictureFile.ts"

/** Bits of VP8X: what else is in the file. */
const [ALPHA, XMP] = [0x10, 0x04]

interface Chunk {
  readonly name: string
  readonly from: number
  readonly content: Buffer
  /** Behind its padding. */
  readonly to: number
}

interface Canvas {
  readonly width: number
  readonly height: number
  readonly alpha: boolean
}

const chunk = (name: string, content: Buffer): Buffer => {
  const made = Buffer.alloc(8 + content.length + (content.length % 2))
  made.write(name, 0, "latin1")
  made.writeUInt32LE(content.length, 4)
  content.copy(made, 8)
  return made
}

/** The picture's size, as the chunk says that holds it. */
const canvasOf = ({ content, name }: Chunk): Canvas | undefined => {
  if (name === "VP8 " && content.length >= 10 && content.readUIntBE(3, 3) === 0x9d012a)
    return { width: content.readUInt16LE(6) & 0x3fff, height: content.readUInt16LE(8) & 0x3fff, alpha: false }
  if (name === "VP8L" && content.length >= 5 && content[0] === 0x2f) {
    const bits = content.readUInt32LE(1)
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, alpha: ((bits >>> 28) & 1) === 1 }
  }
  if (name === "VP8X" && content.length >= 10)
    return { width: content.readUIntLE(4, 3) + 1, height: content.readUIntLE(7, 3) + 1, alpha: (content[0]! & ALPHA) !== 0 }
  return undefined
}

const chunksOf = (file: Buffer, end: number): Result.Result<ReadonlyArray<Chunk>, Flaw> => {
  const chunks: Array<Chunk> = []
  for (let from = 12; from < end;) {
    if (from + 8 > end) return Result.fail("cannot be decoded")
    const length = file.readUInt32LE(from + 4)
    if (from + 8 + length > end) return Result.fail("cannot be decoded")
    const to = Math.min(end, from + 8 + length + (length % 2)) // some writers leave the last one without its padding
    chunks.push({ name: file.toString("latin1", from, from + 4), from, content: file.subarray(from + 8, from + 8 + length), to })
    from = to
  }
  return Result.succeed(chunks)
}

/** The chunks of a WebP. XMP needs the extended form, which begins with VP8X; C2PA is in a chunk of that name. */
export const readWebp = (file: Buffer): Read => {
  const end = 8 + file.readUInt32LE(4)
  if (end > file.length) return Result.fail("truncated")
  const read = chunksOf(file, end)
  if (Result.isFailure(read)) return Result.fail(read.failure)
  const chunks = read.success
  const first = chunks[0]
  const canvas = first && canvasOf(first)
  if (first === undefined || canvas === undefined) return Result.fail("cannot be decoded")
  const xmp = chunks.find(({ name }) => name === "XMP ")

  const extended = (): Buffer => {
    const head = first.name === "VP8X" ? Buffer.from(first.content) : Buffer.alloc(10)
    if (first.name !== "VP8X") {
      head.writeUIntLE(canvas.width - 1, 4, 3)
      head.writeUIntLE(canvas.height - 1, 7, 3)
    }
    head[0] = head[0]! | XMP | (canvas.alpha ? ALPHA : 0)
    return chunk("VP8X", head)
  }
  return Result.succeed({
    contentType: "image/webp",
    width: canvas.width,
    height: canvas.height,
    packet: xmp?.content,
    signed: chunks.some(({ name }) => name === "C2PA"),
    put: (packet, where) => {
      const added = chunk("XMP ", packet)
      const kept = chunks
        .filter(({ name }, at) => !(at === 0 && name === "VP8X"))
        .flatMap((one) => {
          if (one !== xmp) return [chunk(one.name, one.content)]
          return where === "before" ? [added, chunk(one.name, one.content)] : [added]
        })
      const body = Buffer.concat([extended(), ...kept, ...(xmp === undefined ? [added] : [])])
      const head = Buffer.from(file.subarray(0, 12))
      head.writeUInt32LE(4 + body.length, 4)
      return Buffer.concat([head, body, file.subarray(end)])
    }
  })
}
