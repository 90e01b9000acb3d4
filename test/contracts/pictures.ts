import { assert, layer as withLayer } from "@effect/vitest"
import { Effect, Fiber, type Layer } from "effect"
import { createHash } from "node:crypto"
import { type Expected, Pictures } from "../../src/services/Pictures.ts"

/** Files as one kind of `Pictures` reads them. */
export interface Samples {
  /** Two pictures of 768 × 1024 pixels. */
  readonly one: Uint8Array
  readonly other: Uint8Array
  readonly noPicture: Uint8Array
  readonly truncated: Uint8Array
}

const expected: Expected = { width: 768, height: 1024, mark: { model: "fal-ai/flux/dev", createdAt: 1e12, id: "request" } }
const examine = (bytes: Uint8Array, change: Partial<Expected> = {}) =>
  Effect.flatMap(Pictures, (pictures) => pictures.examine(bytes, { ...expected, ...change }))
const refusal = (bytes: Uint8Array, change: Partial<Expected> = {}) =>
  Effect.map(Effect.flip(examine(bytes, change)), (error) => (error._tag === "NoPicture" ? error.reason : error._tag))
const holds = (bytes: Uint8Array, text: string) => Buffer.from(bytes).includes(text)

/** What every `Pictures` promises. */
export const picturesContract = <E>(name: string, pictures: Layer.Layer<Pictures, E>, samples: () => Promise<Samples>) =>
  withLayer(pictures, { excludeTestServices: true, timeout: "60 seconds" })(`${name} keeps the promises of pictures`, (it) => {
    const files = Effect.promise(samples)

    it.effect("a picture has its type, its size, and the hash of its bytes, which say that a model made them", () =>
      Effect.gen(function* () {
        const { one } = yield* files
        const examined = yield* examine(one)
        assert.deepInclude(examined, { contentType: "image/jpeg", extension: "jpg", width: 768, height: 1024 })
        assert.strictEqual(examined.sha256, createHash("sha256").update(examined.bytes).digest("hex"))
        for (const bytes of [examined.bytes, examined.thumbnail]) {
          assert.isTrue(holds(bytes, "trainedAlgorithmicMedia"))
          assert.isTrue(holds(bytes, "fal-ai/flux/dev"))
        }
        assert.isAtMost(examined.thumbhash.length, 40)
        assert.match(examined.phash, /^[0-9a-f]{16}$/)
        assert.isNull(examined.unsigned)
      })
    )

    it.effect("the same bytes with the same mark give the same file, and with another mark another one", () =>
      Effect.gen(function* () {
        const { one, other } = yield* files
        const first = yield* examine(one)
        assert.deepStrictEqual(yield* examine(one), first)
        assert.strictEqual((yield* examine(first.bytes)).sha256, first.sha256) // marked again
        assert.notStrictEqual((yield* examine(one, { mark: { ...expected.mark, id: "another" } })).sha256, first.sha256)
        assert.notStrictEqual((yield* examine(other)).sha256, first.sha256)
      })
    )

    it.effect("what is no picture, not the whole of one, or another one than was paid for is refused", () =>
      Effect.gen(function* () {
        const { noPicture, one, truncated } = yield* files
        assert.strictEqual(yield* refusal(noPicture), "not a picture")
        assert.strictEqual(yield* refusal(truncated), "truncated")
        assert.strictEqual(yield* refusal(one, { height: 768 }), "other dimensions")
        assert.strictEqual(yield* refusal(one, { width: 1024, height: null }), "other dimensions")
        yield* examine(one, { width: null, height: null })
      })
    )

    it.effect("many asked for at once each have their own answer, also where others are refused or nobody waits for them", () =>
      Effect.gen(function* () {
        const { noPicture, one, other } = yield* files
        const [first, second] = [yield* examine(one), yield* examine(other)]
        const unwanted = yield* Effect.forkChild(examine(one), { startImmediately: true })
        const [refused, ...found] = yield* Effect.all(
          [refusal(noPicture), ...[one, other, one, other].map((bytes) => Effect.map(examine(bytes), ({ sha256 }) => sha256))],
          { concurrency: "unbounded" }
        ).pipe(Effect.ensuring(Fiber.interrupt(unwanted)))
        assert.strictEqual(refused, "not a picture")
        assert.deepStrictEqual(
          found,
          [first, second, first, second].map(({ sha256 }) => sha256)
        )
        yield* Fiber.interrupt(yield* Effect.forkChild(examine(one), { startImmediately: true }))
        assert.strictEqual((yield* examine(one)).sha256, first.sha256)
      })
    )
  })
