// The whole module is imported: an older Node that lacks a name of it would end before its version is checked.
import * as zlib from "node:zlib"

const gzip = { contentType: "application/x-gzip", pack: (plain: Buffer) => zlib.deflateSync(plain) }
const brotli = { contentType: "application/x-brotli", pack: (plain: Buffer) => zlib.brotliCompressSync(plain) }
const zstd = { contentType: "application/zstd", pack: (plain: Buffer) => zlib.zstdCompressSync(plain) }

const known = new Map([
  ...["application/x-gzip", "gzip", "zlib"].map((name) => [name, gzip] as const),
  ...["application/x-brotli", "brotli"].map((name) => [name, brotli] as const),
  ...["application/zstd", "zstd", "zstandard"].map((name) => [name, zstd] as const)
])

/**
 * How to pack a body as a signature's `compression` asks. Nothing for bzip2 and xz, which are only read: it goes unpacked then.
 */
export const packing = (compression: string | null | undefined) =>
  compression === null || compression === undefined ? undefined : known.get(compression)
