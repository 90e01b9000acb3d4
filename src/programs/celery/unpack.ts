import { Effect } from "effect"
import Bunzip from "seek-bzip"
import * as zlib from "node:zlib"
import xz from "xz-decompress"
import * as Text from "../../wire/Text.ts"
import * as TaskFailure from "./TaskFailure.ts"

/** A body larger than this once unpacked is refused, so that a small message cannot fill the memory. */
export const MAX_BODY = 16 * 1024 * 1024
const atMost = { maxOutputLength: MAX_BODY }

class TooLarge extends Error {
  override message = `more than ${MAX_BODY} bytes, which is the most that is read`
}

/** Lets everything else that waits have its turn. */
const breathe = () => new Promise<void>((resolve) => void setImmediate(resolve))

// Node has neither bzip2 nor xz. Both packages are plain JavaScript or WebAssembly inside it, as slow as 15 MB a second, so the
// event loop gets its turn between their pieces; Node's own are done with the largest body in some 50 ms.
const bunzip = async (packed: Buffer) => {
  let out = Buffer.alloc(Math.min(MAX_BODY, packed.length * 4 + 1024))
  let length = 0
  const output = {
    writeByte: (byte: number) => {
      if (length === MAX_BODY) throw new TooLarge()
      if (length === out.length) out = Buffer.concat([out], Math.min(MAX_BODY, length * 2))
      out[length++] = byte
    }
  }
  const input = {
    pos: 0,
    readByte: () => packed[input.pos++] ?? 0, // past the end, `pos` tells that bytes are missing
    read: (buffer: Uint8Array, offset: number, count: number) => {
      const read = packed.copy(buffer, offset, input.pos, input.pos + count)
      input.pos += read
      return read
    },
    seek: (pos: number) => {
      input.pos = pos
    }
  }
  const blocks = new Bunzip(input, output)
  while (blocks._init_block()) {
    blocks._read_bunzip()
    await breathe()
  }
  if (blocks.reader.read(32) >>> 0 !== blocks.streamCRC >>> 0) throw new Error("Bad stream CRC")
  // The last byte may hold a single bit of the checksum, which is 0 as often as not.
  if (input.pos > packed.length) throw new Error("Unexpected input EOF")
  return out.subarray(0, length)
}

const unxz = async (packed: Buffer) => {
  const pieces: Array<Uint8Array> = []
  let length = 0
  let rested = 0
  for await (const piece of new xz.XzReadableStream(new Blob([new Uint8Array(packed)]).stream())) {
    pieces.push(piece)
    length += piece.length
    if (length > MAX_BODY) throw new TooLarge() // leaving the loop cancels the stream
    if (length - rested < 1024 * 1024) continue
    rested = length
    await breathe()
  }
  return Buffer.concat(pieces)
}

type Unpack = (packed: Buffer) => Buffer | Promise<Buffer>
const inflate: Unpack = (packed) => zlib.inflateSync(packed, atMost)
const unbrotli: Unpack = (packed) => zlib.brotliDecompressSync(packed, atMost)
const unzstd: Unpack = (packed) => zlib.zstdDecompressSync(packed, atMost)

// As kombu sends them, and its aliases, which its workers take too. Its "gzip" and "zlib" are both a zlib stream.
const known = new Map<string, Unpack>([
  ...["application/x-gzip", "gzip", "zlib"].map((name) => [name, inflate] as const),
  ...["application/x-bz2", "bzip2", "bzip"].map((name) => [name, bunzip] as const),
  ...["application/x-lzma", "lzma", "xz"].map((name) => [name, unxz] as const),
  ...["application/x-brotli", "brotli"].map((name) => [name, unbrotli] as const),
  ...["application/zstd", "zstd", "zstandard"].map((name) => [name, unzstd] as const)
])

const why = (error: unknown) =>
  error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"
    ? new TooLarge().message
    : error instanceof Error
      ? error.message
      : String(error)

/** A body as it was before it was packed; whatever is wrong with it, nothing but a failure comes of it. */
export const unpack = Effect.fnUntraced(function* (packed: Buffer, compression: string) {
  const unpacker = known.get(compression)
  if (unpacker === undefined)
    return yield* TaskFailure.decodeError(`headers.compression: ${Text.cut(compression, 200)} is not supported`)
  return yield* Effect.tryPromise({
    try: async () => unpacker(packed),
    catch: (error) => TaskFailure.decodeError(`body: cannot be unpacked as ${compression}: ${why(error)}`)
  })
})
