import { assert, layer as withLayer } from "@effect/vitest"
import { Effect, Exit, type Layer, Option, Stream } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { type Media, MediaStore, type Store } from "../../src/services/MediaStore.ts"

/** A file that nobody else has. */
export const aFile = (size = 1000): Media => {
  const bytes = new Uint8Array(randomBytes(size))
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex"), contentType: "image/jpeg", extension: "jpg" }
}

/** The store, which is not the unset one. */
export const theStore: Effect.Effect<Store, never, MediaStore> = Effect.map(MediaStore, (store) => {
  assert(store.kind !== "unset")
  return store
})

/** What every `MediaStore` promises. */
export const mediaStoreContract = <E>(name: string, store: Layer.Layer<MediaStore, E>) =>
  withLayer(store, { excludeTestServices: true, timeout: "60 seconds" })(`${name} keeps the media store's promises`, (it) => {
    it.effect("a file comes back byte for byte, under the hash of its bytes", () =>
      Effect.gen(function* () {
        const { get, put, stat } = yield* theStore
        for (const size of [1, 1000, 3_000_000]) {
          const file = aFile(size)
          const name = yield* put(file)
          assert.strictEqual(name, `${file.sha256}.jpg`)
          assert.deepStrictEqual(yield* get(name), file.bytes)
          const found = Option.getOrThrow(yield* stat(name))
          assert.strictEqual(found.name, name)
          assert.strictEqual(found.size, size)
          assert.closeTo(found.at, Date.now(), 60_000)
        }
      })
    )

    it.effect("storing a file again, also many times at once, changes nothing", () =>
      Effect.gen(function* () {
        const { get, put } = yield* theStore
        const file = aFile()
        const names = yield* Effect.all(
          Array.from({ length: 8 }, () => put(file)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual([...new Set([...names, yield* put(file)])], [`${file.sha256}.jpg`])
        assert.deepStrictEqual(yield* get(names[0]!), file.bytes)
      })
    )

    it.effect("bytes under the hash of others are a bug, and are not stored", () =>
      Effect.gen(function* () {
        const { put, stat } = yield* theStore
        const wrong = { ...aFile(), bytes: aFile().bytes }
        const exit = yield* Effect.exit(put(wrong))
        assert.isTrue(Exit.hasDies(exit))
        assert.deepStrictEqual(yield* stat(`${wrong.sha256}.jpg`), Option.none())
      })
    )

    it.effect("what is not there is missing, and can be removed", () =>
      Effect.gen(function* () {
        const { get, remove, stat } = yield* theStore
        const name = `${aFile().sha256}.jpg`
        assert.strictEqual((yield* Effect.flip(get(name))).reason, "missing")
        assert.deepStrictEqual(yield* stat(name), Option.none())
        yield* remove(name)
      })
    )

    it.effect("what is removed is gone, and may be stored again", () =>
      Effect.gen(function* () {
        const { get, put, remove, stat } = yield* theStore
        const file = aFile()
        const name = yield* put(file)
        yield* remove(name)
        assert.deepStrictEqual(yield* stat(name), Option.none())
        assert.strictEqual(yield* put(file), name)
        assert.deepStrictEqual(yield* get(name), file.bytes)
      })
    )

    it.effect("a hash that is recalled stays so, whatever becomes of its file, and the mark is no file", () =>
      Effect.gen(function* () {
        const { addressOf, isRecalled, list, nameIn, put, recall, remove } = yield* theStore
        const file = aFile()
        const name = yield* put(file)
        assert.isFalse(yield* isRecalled(file.sha256))
        yield* recall(file.sha256)
        yield* recall(file.sha256)
        assert.isTrue(yield* isRecalled(file.sha256))
        yield* remove(name)
        assert.isTrue(yield* isRecalled(file.sha256))
        assert.isFalse(yield* isRecalled(aFile().sha256))
        assert.notInclude((yield* Stream.runCollect(list)).map((one) => one.name).join(), file.sha256)
        assert.isUndefined(nameIn(addressOf(`${file.sha256}.recalled`)))
      })
    )

    it.effect("all files are listed, with their sizes and times", () =>
      Effect.gen(function* () {
        const { list, put } = yield* theStore
        const files = yield* Effect.forEach([10, 20, 30], (size) => Effect.map(put(aFile(size)), (name) => ({ name, size })))
        const listed = yield* Stream.runCollect(list)
        for (const { name, size } of files) {
          const found = listed.find((file) => file.name === name)
          assert.strictEqual(found?.size, size)
          assert.closeTo(found?.at ?? 0, Date.now(), 60_000)
        }
        assert.strictEqual(new Set(listed.map((file) => file.name)).size, listed.length)
      })
    )

    it.effect("it says whether it may be written to, and leaves nothing behind", () =>
      Effect.gen(function* () {
        const { check, list } = yield* theStore
        const before = (yield* Stream.runCollect(list)).length
        yield* check
        assert.strictEqual((yield* Stream.runCollect(list)).length, before)
      })
    )

    it.effect("an address is permanent and unsigned, and leads back to its name; another's does not", () =>
      Effect.gen(function* () {
        const { addressOf, nameIn } = yield* theStore
        const name = `${aFile().sha256}.jpg`
        const address = addressOf(name)
        assert.isTrue(address.endsWith(name), address)
        assert.notInclude(address, "?")
        assert.strictEqual(nameIn(address), name)
        for (const other of [`https://fal.media/${name}`, name, `${address}?x`, address.replace(/\.jpg$/, ""), ""])
          assert.isUndefined(nameIn(other), other)
      })
    )
  })
