import type { Asset } from "@trustnxt/c2pa-ts/asset"

const NAME = "C2PA"
const HEAD = 8

/** A WebP file as the C2PA library sees a file: the manifest is the chunk `C2PA` at the end of the file. */
export class WebpAsset implements Asset {
  readonly mimeType = "image/webp"
  private file: Buffer
  private readonly start: number
  private length = 0

  /** The file has no manifest yet. */
  constructor(file: Uint8Array) {
    const whole = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
    this.start = HEAD + whole.readUInt32LE(4)
    this.file = whole.subarray(0, this.start) // what follows is no part of the picture
  }

  getDataLength() {
    return this.file.length
  }

  async getDataRange(start = 0, length = this.file.length - start) {
    return this.file.subarray(start, start + length)
  }

  getManifestJUMBF() {
    return this.length === 0 ? undefined : this.file.subarray(this.start + HEAD, this.start + HEAD + this.length)
  }

  dumpInfo() {
    return `WebP file of ${this.file.length} bytes`
  }

  async ensureManifestSpace(length: number) {
    const chunk = Buffer.alloc(HEAD + length + (length % 2))
    chunk.write(NAME, 0, "latin1")
    chunk.writeUInt32LE(length, 4)
    this.file = Buffer.concat([this.file.subarray(0, this.start), chunk])
    this.file.writeUInt32LE(this.file.length - HEAD, 4)
    this.length = length
  }

  getHashExclusionRange() {
    return { start: this.start, length: HEAD + this.length }
  }

  async writeManifestJUMBF(jumbf: Uint8Array) {
    if (jumbf.length !== this.length) throw new Error("the manifest has another length than the space made for it")
    this.file.set(jumbf, this.start + HEAD)
  }
}
