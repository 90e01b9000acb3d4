import { promisify } from "node:util"
import * as zlib from "node:zlib"

/** The longest answer that we read, in bytes, packed or not: a picture's description takes a few KB. */
export const LONGEST_ANSWER = 2 * 1024 * 1024

/** An answer's text as far as we read any; `cut` where that is not all of it. */
export interface Content {
  readonly text: string
  readonly cut: boolean
}

type Decoder = (bytes: Buffer, options: { readonly maxOutputLength: number }) => Promise<Buffer>
const inflate: Decoder = promisify(zlib.inflate)
const inflateRaw: Decoder = promisify(zlib.inflateRaw)
const isTooLong = (error: unknown) => error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"

const gzip: Decoder = promisify(zlib.gunzip)
/** Servers send both under the name of deflate: with zlib's header, as the standard has it, and without. */
const deflate: Decoder = (bytes, options) =>
  inflate(bytes, options).catch((error: unknown) => (isTooLong(error) ? Promise.reject(error) : inflateRaw(bytes, options)))
const decoders: ReadonlyMap<string, Decoder> = new Map([
  ["gzip", gzip],
  ["x-gzip", gzip],
  ["deflate", deflate],
  ["br", promisify(zlib.brotliDecompress)],
  ["zstd", promisify(zlib.zstdDecompress)]
])

/** No server applies more encodings than this on top of each other. */
const MOST_ENCODINGS = 3

// The decoder drops a byte order mark.
const textOf = (bytes: Buffer) => new TextDecoder().decode(bytes)

/**
 * Undoes the answer's Content-Encoding. We ask for none, and proxies compress all the same. What does not decode is taken as it
 * came: a proxy that unpacks an answer may leave the header that says it is packed.
 */
export const contentOf = async (bytes: Buffer, encodings: string): Promise<Content> => {
  const names = encodings
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && name !== "identity")
  if (names.length > MOST_ENCODINGS) return { text: textOf(bytes), cut: false }
  let plain = bytes
  try {
    for (const name of names.toReversed()) {
      const decode = decoders.get(name)
      if (decode === undefined) return { text: textOf(bytes), cut: false }
      plain = await decode(plain, { maxOutputLength: LONGEST_ANSWER })
    }
  } catch (error) {
    return isTooLong(error) ? { text: "", cut: true } : { text: textOf(bytes), cut: false }
  }
  return { text: textOf(plain), cut: false }
}
