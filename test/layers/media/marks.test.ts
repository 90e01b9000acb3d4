import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { deflateSync } from "node:zlib"
import sharp, { type Sharp } from "sharp"
import { marked, readPicture } from "../../../src/layers/media/marks/mark.ts"
import type { Mark } from "../../../src/services/Pictures.ts"

const mark: Mark = { model: 'fal-ai/"flux" & <dev>', createdAt: Date.UTC(2026, 10, 26, 10), id: "019d9e0b-6eb0" }
const SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

const [width, height] = [29, 18]
/** Noise, so that a pixel in the wrong place is seen; `channels` 4 has transparent pixels. */
const noise = (channels: 3 | 4) => {
  const pixels = Buffer.alloc(width * height * channels)
  for (let at = 0, state = 7; at < pixels.length; at++) pixels[at] = (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16
  return sharp(pixels, { raw: { width, height, channels } })
}
const formats: Record<string, () => Sharp> = {
  "a JPEG": () => noise(3).jpeg(),
  "a progressive JPEG": () => noise(3).jpeg({ progressive: true }),
  "a JPEG with Exif": () =>
    noise(3)
      .withExif({ IFD0: { Artist: "somebody" } })
      .jpeg(),
  "a PNG": () => noise(3).png(),
  "a PNG with transparent pixels": () => noise(4).png(),
  "a lossy WebP": () => noise(3).webp(),
  "a lossy WebP with transparent pixels": () => noise(4).webp(),
  "a lossless WebP": () => noise(3).webp({ lossless: true }),
  "a lossless WebP with transparent pixels": () => noise(4).webp({ lossless: true }),
  "a WebP with Exif": () =>
    noise(3)
      .withExif({ IFD0: { Artist: "somebody" } })
      .webp()
}
const read = (file: Uint8Array) => Result.getOrThrow(readPicture(file))
const markOf = (file: Uint8Array) => Buffer.from(marked(read(file), file, mark))
const pixelsOf = (file: Uint8Array) => sharp(file).raw().toBuffer()
const xmpOf = async (file: Uint8Array) => (await sharp(file).metadata()).xmp?.toString() ?? ""

const theirs = (prefix: string, properties: string) =>
  `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">` +
  `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="uuid:7" ` +
  `xmlns:${prefix}="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" ` +
  `${properties} photoshop:Credit="the provider"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`

const exiftool = (files: ReadonlyArray<string>): ReadonlyArray<Record<string, unknown>> =>
  JSON.parse(execFileSync("exiftool", ["-json", "-G1", "-n", "-warning", "-error", "-all", ...files], { encoding: "utf8" }))
const hasExiftool = spawnSync("exiftool", ["-ver"]).status === 0

describe("a mark", () => {
  for (const [what, make] of Object.entries(formats)) {
    it(`is read from ${what}, whose pixels stay as they were`, async () => {
      const file = await make().toBuffer()
      const done = markOf(file)
      const { width, height } = read(done)
      assert.deepStrictEqual([width, height], [29, 18])
      const xmp = await xmpOf(done)
      assert.include(xmp, `Iptc4xmpExt:DigitalSourceType="${SOURCE}"`)
      assert.include(xmp, 'Iptc4xmpExt:AISystemUsed="fal-ai/&quot;flux&quot; &amp; &lt;dev&gt;"')
      assert.include(xmp, 'xmp:CreateDate="2026-11-26T10:00:00.000Z"')
      assert.include(xmp, 'dc:identifier="019d9e0b-6eb0"')
      assert.isTrue((await pixelsOf(done)).equals(await pixelsOf(file)))
    })

    it(`changes nothing when it is put into ${what} once more`, async () => {
      const done = markOf(await make().toBuffer())
      assert.isTrue(markOf(done).equals(done))
    })

    it(`leaves what the provider said in ${what}`, async () => {
      const file = await make().withXmp(theirs("ext", 'ext:DigitalSourceType="as the provider says"')).toBuffer()
      const done = markOf(file)
      const xmp = await xmpOf(done)
      assert.include(xmp, 'photoshop:Credit="the provider"')
      assert.include(xmp, 'ext:DigitalSourceType="as the provider says"')
      assert.notInclude(xmp, SOURCE)
      assert.include(xmp, '<rdf:Description rdf:about="uuid:7" xmlns:Iptc4xmpExt')
      assert.include(xmp, 'dc:identifier="019d9e0b-6eb0"')
      assert.isTrue((await pixelsOf(done)).equals(await pixelsOf(file)))
    })

    it(`goes before a packet in ${what} that cannot be read`, async () => {
      const file = await make().withXmp("<of-no-use/>").toBuffer()
      const done = markOf(file)
      assert.include(read(done).packet?.toString(), SOURCE)
      if (read(file).contentType !== "image/png") assert.isTrue(done.includes("<of-no-use/>")) // which has it packed
      assert.isTrue((await pixelsOf(done)).equals(await pixelsOf(file)))
    })
  }

  it("is added to a packet that is packed, as PNG allows", async () => {
    const packet = Buffer.from(theirs("ext", ""))
    const plain = read(await formats["a PNG"]!().toBuffer()).put(packet, "instead")!
    const text = deflateSync(packet)
    const at = plain.indexOf("iTXt")
    const length = plain.readUInt32BE(at - 4)
    const content = Buffer.concat([Buffer.from("XML:com.adobe.xmp\0\x01\0\0\0", "latin1"), text])
    const head = Buffer.alloc(4)
    head.writeUInt32BE(content.length)
    const packed = Buffer.concat([plain.subarray(0, at - 4), head, Buffer.from("iTXt"), content, plain.subarray(at + 4 + length)])
    const xmp = await xmpOf(markOf(packed))
    assert.include(xmp, 'photoshop:Credit="the provider"')
    assert.include(xmp, SOURCE)
  })

  it("is left out of a file that a C2PA manifest signs", async () => {
    const jpeg = await formats["a JPEG"]!().toBuffer()
    const manifest = Buffer.concat([
      Buffer.from([0xff, 0xeb, 0, 22]),
      Buffer.from("JP\0\x01\0\0\0\x01jumbc2pa\0\0\0\0", "latin1")
    ])
    const signed = Buffer.concat([jpeg.subarray(0, 2), manifest, jpeg.subarray(2)])
    assert.isTrue(markOf(signed).equals(signed))
  })

  it("fits a JPEG whatever is in it: a packet that would become too long stays behind ours", async () => {
    const long = Buffer.from(theirs("ext", `ext:Event="${"x".repeat(64_500)}"`))
    const done = markOf(read(await formats["a JPEG"]!().toBuffer()).put(long, "instead")!)
    assert.include(await xmpOf(done), SOURCE)
    assert.isTrue(done.includes("the provider"))
  })

  it.skipIf(!hasExiftool)("needs exiftool: it reads the mark from every kind of file, without a warning", async () => {
    const folder = mkdtempSync(join(tmpdir(), "marks-"))
    try {
      const files: Array<string> = []
      for (const [what, make] of Object.entries(formats)) {
        for (const [which, file] of [
          ["plain", await make().toBuffer()],
          ["theirs", await make().withXmp(theirs("ext", "")).toBuffer()]
        ] as const) {
          const { contentType } = read(file)
          const path = join(folder, `${what} ${which}.${contentType.slice(6)}`)
          writeFileSync(path, markOf(file))
          files.push(path)
        }
      }
      for (const tags of exiftool(files)) {
        const file = String(tags["SourceFile"])
        assert.strictEqual(tags["XMP-iptcExt:DigitalSourceType"], SOURCE, file)
        assert.strictEqual(tags["XMP-xmp:CreatorTool"], mark.model, file)
        assert.strictEqual(tags["XMP-dc:Identifier"], mark.id, file)
        // of how libvips writes Exif into WebP
        assert.oneOf(tags["ExifTool:Warning"], [undefined, "[minor] Improper EXIF header"], file)
        if (file.includes("theirs")) assert.strictEqual(tags["XMP-photoshop:Credit"], "the provider")
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe("a file", () => {
  it("that is no picture is told from one by its bytes", () => {
    for (const text of ["", "<!doctype html><html></html>", "GIF89a", "{}", "RIFF____WAVE", "\xff\xd8"])
      assert.deepStrictEqual(readPicture(Buffer.from(text, "latin1")), Result.fail("not a picture"))
  })

  for (const [what, make] of Object.entries(formats)) {
    it(`that holds the beginning of ${what} is read as no picture, wherever it ends`, async () => {
      const file = await make().toBuffer()
      for (let length = 0; length < file.length - 2; length++) {
        const read = readPicture(file.subarray(0, length))
        assert.isTrue(Result.isFailure(read), `${length} of ${file.length} bytes`)
        assert.match(String(Result.getOrThrow(Result.flip(read))), /^(not a picture|truncated)$/)
      }
    })

    it(`made from ${what} by any one other byte is read and marked, or refused`, async () => {
      const file = Buffer.from(await make().withXmp(theirs("ext", "")).toBuffer())
      for (let at = 0; at < Math.min(file.length, 2500); at++) {
        for (const value of [0x00, 0xff, file[at]! ^ 0x01, file[at]! ^ 0x80]) {
          const spoilt = Buffer.from(file)
          spoilt[at] = value
          const read = readPicture(spoilt)
          if (Result.isFailure(read)) continue
          assert.isBelow(marked(read.success, spoilt, mark).length, file.length + 4000)
        }
      }
    })
  }

  it("that is made to be slow to read is not", () => {
    const one = Buffer.from([0xff, 0xd8, ...Array.from({ length: 400_000 }, () => [0xff, 0xe1, 0, 2]).flat()])
    const text = (repeated: string) => Buffer.from(`<rdf:RDF>${repeated.repeat(256_000 / repeated.length)}</rdf:RDF>`)
    const webp = (packet: Buffer) => {
      const file = Buffer.alloc(38)
      file.write("RIFF____WEBPVP8X\x0a\0\0\0", "latin1")
      file.writeUInt32LE(30, 4)
      file.writeUInt32LE(0, 34)
      file.write("XMP ", 30, "latin1")
      return read(file).put(packet, "instead")!
    }
    const began = performance.now()
    assert.isTrue(Result.isFailure(readPicture(one)))
    for (const repeated of [
      " ",
      "a",
      'xmlns:a="http://ns.adobe.com/xap/1.0/" ',
      "xmlns:",
      "xmlns:a=' ",
      ":DigitalSourceType ",
      "</a"
    ])
      markOf(webp(text(repeated)))
    assert.isBelow(performance.now() - began, 10_000)
  })
})
