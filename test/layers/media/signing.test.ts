/** Pictures with a C2PA manifest, judged by the library of those who wrote the standard and by exiftool. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import sharp from "sharp"
import * as PicturesProcess from "../../../src/layers/media/PicturesProcess.ts"
import { check } from "../../../src/layers/process/startCheck.ts"
import { Pictures } from "../../../src/services/Pictures.ts"
import { judge, type Kind, makeCertificate } from "../../c2pa.ts"
import { describeWith } from "../../servers/index.ts"

const mark = { model: "fal-ai/flux/dev", createdAt: Date.UTC(2026, 10, 26, 10), id: "019d9e0b-6eb0" }
const SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "signing-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
const promised = <A>(made: () => Promise<A>) => Effect.promise(made)
const settings = (env: Readonly<Record<string, string>>) => ConfigProvider.layer(ConfigProvider.fromUnknown(env))
const signingWith = ({ cert, key }: { readonly cert: string; readonly key: string }) =>
  PicturesProcess.layer.pipe(Layer.provide(settings({ C2PA_CERT: cert, C2PA_KEY: key })))

/** An odd number of pixels, so that lengths are odd too. */
const noise = () => {
  const pixels = Buffer.alloc(301 * 203 * 3)
  for (let at = 0, state = 7; at < pixels.length; at++) pixels[at] = (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16
  return sharp(pixels, { raw: { width: 301, height: 203, channels: 3 } })
}
const formats = {
  jpg: () => noise().jpeg(),
  png: () => noise().png(),
  webp: () => noise().webp(),
  "lossless.webp": () => noise().webp({ lossless: true })
}
const examine = (bytes: Uint8Array) =>
  Effect.flatMap(Pictures, (pictures) => pictures.examine(bytes, { width: null, height: null, mark }))
const hasExiftool = spawnSync("exiftool", ["-ver"]).status === 0

describeWith(["c2pa"], "a signed picture", ({ c2pa: { python } }) => {
  for (const kind of ["P-256", "P-384", "Ed25519", "RSA"] as const satisfies ReadonlyArray<Kind>)
    it.live(
      `says by whom it was made, and a flipped byte is found; its pixels stay as they were: ${kind}`,
      () =>
        Effect.gen(function* () {
          const path = yield* folder
          const files = yield* promised(() => makeCertificate(path, kind))
          const made: Array<string> = []
          yield* Effect.gen(function* () {
            for (const [name, format] of Object.entries(formats)) {
              const file = yield* promised(() => format().toBuffer())
              const { bytes, sha256, thumbnail, unsigned } = yield* examine(file)
              assert.isNull(unsigned)
              assert.notInclude(Buffer.from(thumbnail).toString("latin1"), "c2pa")
              const pixels = (picture: Uint8Array) => promised(() => sharp(picture).raw().toBuffer())
              assert.isTrue((yield* pixels(bytes)).equals(yield* pixels(file)))
              assert.isBelow(bytes.length - file.length, 8000)
              made.push(join(path, name))
              writeFileSync(join(path, name), bytes)
              // Another's signature, or ours of before, stays as it is.
              assert.strictEqual((yield* examine(bytes)).sha256, sha256)
            }
          }).pipe(Effect.provide(signingWith(files)))

          for (const { assertions, failures, state } of judge(python, "-", made)) {
            assert.deepStrictEqual([state, failures], ["Valid", ["signingCredential.untrusted"]])
            const [action] = (assertions["c2pa.actions.v2"] as { readonly actions: ReadonlyArray<unknown> }).actions
            assert.deepStrictEqual(action, {
              action: "c2pa.created",
              digitalSourceType: SOURCE,
              softwareAgent: { name: "fal-ai/flux/dev" }
            })
            assert.deepInclude(assertions["c2pa.metadata"], {
              "xmp:CreateDate": "2026-11-26T10:00:00.000Z",
              "xmp:CreatorTool": "fal-ai/flux/dev",
              "dc:identifier": "019d9e0b-6eb0"
            })
          }
          for (const { failures, state } of judge(python, files.root, made))
            assert.deepStrictEqual([state, failures], ["Trusted", []])

          const spoilt = made.flatMap((file) => {
            const whole = readFileSync(file)
            return [whole.length >> 1, whole.indexOf(mark.id), whole.indexOf("c2pa.created")].map((at) => {
              const bytes = Buffer.from(whole)
              bytes[at]! ^= 0x01
              const copy = join(path, `${at} ${basename(file)}`)
              writeFileSync(copy, bytes)
              return copy
            })
          })
          for (const { state } of judge(python, files.root, spoilt)) assert.oneOf(state, ["Invalid", "unreadable"])

          if (!hasExiftool) return
          const tags = JSON.parse(
            execFileSync("exiftool", ["-json", "-G1", "-n", "-warning", "-XMP:all", ...made], { encoding: "utf8" })
          )
          for (const tag of tags) {
            assert.strictEqual(tag["XMP-iptcExt:DigitalSourceType"], SOURCE)
            assert.isUndefined(tag["ExifTool:Warning"])
          }
        }),
      120_000
    )
})

describe("with a certificate", () => {
  it.live("whose signatures are not random, the same picture gives the same file; with any other, another file", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = yield* promised(() => formats.jpg().toBuffer())
      for (const [kind, files] of [
        ["Ed25519", 1],
        ["P-256", 2]
      ] as const) {
        const certificate = yield* promised(() => makeCertificate(path, kind))
        const made = yield* Effect.all([examine(file), examine(file)]).pipe(Effect.provide(signingWith(certificate)))
        assert.strictEqual(new Set(made.map(({ sha256 }) => sha256)).size, files, kind)
      }
    })
  )

  it.live("that has ended, a picture is marked and says why it is not signed", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const certificate = yield* promised(() => makeCertificate(path, "P-256", { days: [-9, -2] }))
      const file = yield* promised(() => formats.jpg().toBuffer())
      const { bytes, unsigned } = yield* examine(file).pipe(Effect.provide(signingWith(certificate)))
      assert.match(unsigned ?? "", /^the certificate of C2PA_CERT ended on /)
      assert.include(Buffer.from(bytes).toString("latin1"), SOURCE)
    })
  )

  it.live("that is none, or none to sign pictures with, a start is refused with one line that says so", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const good = yield* promised(() => makeCertificate(path, "P-256"))
      const other = yield* promised(() => makeCertificate(path, "Ed25519"))
      const server = yield* promised(() => makeCertificate(path, "P-384", { purpose: "1.3.6.1.5.5.7.3.1" }))
      const problem = (C2PA_CERT: string, C2PA_KEY: string) =>
        check(["C2PA_CERT", "C2PA_KEY"]).pipe(
          Effect.match({ onSuccess: () => "", onFailure: ({ message }) => message.split("\n").slice(1).join("\n").trim() }),
          Effect.provide(settings({ C2PA_CERT, C2PA_KEY }))
        )
      assert.strictEqual(yield* problem("", ""), "")
      assert.strictEqual(yield* problem(good.cert, good.key), "")
      assert.strictEqual(yield* problem(good.cert, ""), "C2PA_KEY is not set, and C2PA_CERT is: set both or neither")
      assert.strictEqual(yield* problem("", good.key), "C2PA_CERT is not set, and C2PA_KEY is: set both or neither")
      assert.include(yield* problem(join(path, "none"), good.key), "none, which cannot be read (ENOENT)")
      assert.include(yield* problem(good.key, good.key), "which holds no certificate in PEM form")
      assert.include(yield* problem(good.cert, good.cert), "which holds no private key in PEM form without a password")
      assert.include(yield* problem(good.cert, other.key), "which is not the key of the certificate in C2PA_CERT")
      assert.include(yield* problem(good.root, good.key), "which begins with an authority's certificate")
      assert.include(yield* problem(server.cert, server.key), "which is for other purposes")
    })
  )
})
