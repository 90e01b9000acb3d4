/**
 * Pictures whose bytes are kept in a media store: whole workers in this process, with fal's media and the store in the test's
 * hands.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import * as MediaStoreMemory from "../../../src/layers/memory/MediaStoreMemory.ts"
import { MediaSource, SourceError, type SourceReason } from "../../../src/services/MediaSource.ts"
import { MediaError, type MediaReason, MediaStore } from "../../../src/services/MediaStore.ts"
import { theStore } from "../../contracts/mediaStore.ts"
import { empty, five, makeWorld } from "../world.ts"
import { bytesOf, layer as textPictures, sha256 } from "../../textPictures.ts"

const stage = Effect.gen(function* () {
  const world = yield* makeWorld
  const store = yield* Effect.provideContext(theStore, yield* Layer.build(Layer.fresh(MediaStoreMemory.layer)))
  /** How the store refuses, what fal's media server does instead of giving the picture, and what the picture is. */
  const media: { store?: MediaReason; source: Array<SourceReason>; picture: string } = { source: [], picture: "a picture" }
  const reads: Array<string> = []
  const refused = (operation: string) =>
    Effect.suspend(() =>
      media.store === undefined
        ? Effect.void
        : Effect.fail(new MediaError({ operation, reason: media.store, detail: "scripted" }))
    )
  const layer = Layer.mergeAll(
    Layer.succeed(MediaStore, {
      ...store,
      put: (file) => Effect.andThen(refused("put"), store.put(file)),
      check: refused("check")
    }),
    Layer.succeed(MediaSource, {
      read: (address) =>
        Effect.suspend(() => {
          reads.push(address)
          const reason = media.source.shift()
          return reason === undefined
            ? Effect.succeed(bytesOf(`${media.picture} ${address}`))
            : Effect.fail(new SourceError({ reason, detail: "scripted" }))
        })
    }),
    textPictures
  )
  const files = Effect.map(Stream.runCollect(store.list), (all) => [...all].map(({ name }) => name).toSorted())
  return { ...world, store, media, reads, files, start: (options = {}) => world.start({ ...options, media: layer }) }
})

describe("with MEDIA_STORE", () => {
  it.effect("a picture is stored with its thumbnail before its row, which has their addresses for ever", () =>
    Effect.gen(function* () {
      const { counts, files, journal, ledger, rows, seconds, send, start, store, success } = yield* stage
      yield* start()
      const id = yield* send({ kwargs: { ...five, metadata: { season: "autumn" } } })
      yield* seconds(30)
      const result = yield* success(id)
      const [row] = yield* rows()
      const name = store.nameIn(row!.imageUrl)!
      const thumbnail = store.nameIn(row!.thumbnailUrl!)!
      assert.deepStrictEqual(yield* files, [name, thumbnail].toSorted())
      const bytes = yield* store.get(name)
      assert.strictEqual(name, `${sha256(bytes)}.jpg`)
      assert.match(thumbnail, /\.webp$/)
      assert.deepInclude(row!.metadata, {
        season: "autumn",
        sha256: sha256(bytes),
        bytes: bytes.length,
        content_type: "image/jpeg",
        width: 768,
        height: 1024,
        thumbhash: "a hash",
        phash: "0123456789abcdef"
      })
      const { requestId } = (yield* ledger)[0]!
      const source = `a picture https://fal.example/fal-ai/flux/dev/${requestId}.jpg`
      assert.strictEqual(row!.metadata!["source_sha256"], sha256(bytesOf(source)))
      assert.strictEqual(row!.metadata!["source_url"], `https://fal.example/fal-ai/flux/dev/${requestId}.jpg`)
      assert.match(String(row!.metadata!["source_expires_at"]), /^\d{4}-\d\d-\d\dT/)
      assert.deepInclude(result, { image_url: row!.imageUrl, thumbnail_url: row!.thumbnailUrl, saved: true })
      const known = Option.getOrThrow((yield* journal.find(id)).entry)
      assert.strictEqual(known._tag === "Generated" ? known.media?.name : undefined, name)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("a picture that is not saved stays at fal's address: nothing is stored of it", () =>
    Effect.gen(function* () {
      const { files, seconds, send, start, success } = yield* stage
      yield* start()
      const id = yield* send({ kwargs: { ...five, save: false } })
      yield* seconds(30)
      assert.match(String((yield* success(id))["image_url"]), /^https:\/\/fal\.example\//)
      assert.deepStrictEqual(yield* files, [])
    })
  )

  for (const reason of ["away", "full", "refused"] as const)
    it.effect(`while the store is ${reason} the paid picture waits, no other is bought, and none fails`, () =>
      Effect.gen(function* () {
        const { counts, files, ledger, media, result, seconds, send, start, success } = yield* stage
        yield* start()
        const first = yield* send()
        yield* seconds(1)
        media.store = reason
        yield* seconds(10)
        const second = yield* send({ kwargs: { ...five, pose: "side" } })
        yield* seconds(600)
        assert.strictEqual((yield* result(first))?.status, "RETRY")
        assert.lengthOf(yield* ledger, 1)
        assert.deepStrictEqual(yield* files, [])
        delete media.store
        yield* seconds(900)
        for (const id of [first, second]) yield* success(id)
        assert.lengthOf(yield* ledger, 2)
        assert.lengthOf(yield* files, 4)
        assert.deepStrictEqual(yield* counts, empty)
      })
    )

  it.effect("an address that is gone at fal is read again from the result, and no other request is made", () =>
    Effect.gen(function* () {
      const { ledger, media, reads, seconds, send, start, success } = yield* stage
      media.source = ["gone"]
      yield* start()
      const id = yield* send()
      yield* seconds(60)
      yield* success(id)
      assert.lengthOf(reads, 2)
      assert.lengthOf(yield* ledger, 1)
    })
  )

  it.effect("while fal's media server is away the paid picture waits, however long", () =>
    Effect.gen(function* () {
      const { ledger, media, result, seconds, send, start, success } = yield* stage
      media.source = Array.from({ length: 200 }, () => "away" as const)
      yield* start()
      const id = yield* send()
      yield* seconds(1200)
      assert.strictEqual((yield* result(id))?.status, "RETRY")
      media.source = []
      yield* seconds(300)
      yield* success(id)
      assert.lengthOf(yield* ledger, 1)
    })
  )

  it.effect("a file that is no picture is a FAILURE with the reason, counted, and nothing is stored or saved", () =>
    Effect.gen(function* () {
      const { counts, failure, files, ledger, media, metric, rows, seconds, send, start } = yield* stage
      media.picture = "<html>"
      yield* start()
      const id = yield* send()
      yield* seconds(60)
      const { message, module, type } = yield* failure(id)
      assert.deepStrictEqual([type, module], ["PictureUnusable", "model_generator.errors"])
      assert.include(message, "not a picture: ")
      assert.strictEqual(yield* metric('pictures_unusable_total{reason="not a picture"}'), 1)
      assert.strictEqual(yield* metric('paid_thrown_away_total{endpoint="fal-ai/flux/dev"}'), 1)
      assert.lengthOf(yield* ledger, 1)
      assert.deepStrictEqual([yield* files, yield* rows()], [[], []])
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("a worker killed after the bytes and before the row is followed by one that saves the same two files", () =>
    Effect.gen(function* () {
      const { away, files, ledger, rows, seconds, send, start, success } = yield* stage
      const first = yield* start()
      const id = yield* send()
      yield* seconds(1)
      away.database = true
      yield* seconds(5)
      const stored = yield* files
      assert.lengthOf(stored, 2)
      yield* first.kill
      away.database = false
      yield* start()
      yield* seconds(300)
      yield* success(id)
      assert.deepStrictEqual(yield* files, stored)
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 1])
    })
  )

  for (const forgets of ["journal", "nothing"] as const)
    it.effect(`a picture that was recalled before its row was saved comes in no row, with ${forgets} forgotten`, () =>
      Effect.gen(function* () {
        const { away, failure, files, forget, ledger, rows, seconds, send, start, store } = yield* stage
        const first = yield* start()
        const id = yield* send()
        yield* seconds(1)
        away.database = true
        yield* seconds(5)
        for (const name of yield* files) {
          yield* store.recall(name.slice(0, 64))
          yield* store.remove(name)
        }
        yield* first.kill
        if (forgets === "journal") yield* forget(id)
        away.database = false
        yield* start()
        yield* seconds(300)
        assert.deepInclude(yield* failure(id), { type: "PictureUnusable" })
        assert.deepStrictEqual([yield* files, yield* rows(), (yield* ledger).length], [[], [], 1])
      })
    )

  for (const forgets of ["journal", "nothing"] as const)
    it.effect(`a worker killed while it stores, with ${forgets} forgotten, leaves no third file and pays no second picture`, () =>
      Effect.gen(function* () {
        const { files, forget, ledger, media, seconds, send, start, success } = yield* stage
        media.store = "away"
        const first = yield* start()
        const id = yield* send()
        yield* seconds(10)
        yield* first.kill
        if (forgets === "journal") yield* forget(id)
        delete media.store
        yield* start()
        yield* seconds(600)
        yield* success(id)
        assert.lengthOf(yield* files, 2)
        assert.lengthOf(yield* ledger, 1)
      })
    )

  it.effect("an edit gets its source from the store, as a data URL, by row and by the result of generate_model", () =>
    Effect.gen(function* () {
      const { ledger, rows, seconds, send, start, store, success } = yield* stage
      yield* start()
      const made = yield* success(yield* Effect.tap(send(), () => seconds(30)))
      const ids = [
        yield* send({ task: "edit_model", kwargs: { model: made, prompt: "a red coat" } }),
        yield* send({ task: "edit_model", kwargs: { model_id: made["id"], prompt: "a red coat" } })
      ]
      yield* seconds(60)
      for (const id of ids) yield* success(id)
      const bytes = yield* store.get(store.nameIn((yield* rows())[0]!.imageUrl)!)
      const expected = `data:image/jpeg;base64,${Buffer.from(bytes).toString("base64")}`
      assert.deepStrictEqual(
        (yield* ledger).slice(1).map(({ input }) => input["image_url"]),
        [expected, expected]
      )
    })
  )

  it.effect("a source whose file is gone from the store is a FAILURE before anything is paid", () =>
    Effect.gen(function* () {
      const { failure, files, ledger, seconds, send, start, store, success } = yield* stage
      yield* start()
      const made = yield* success(yield* Effect.tap(send(), () => seconds(30)))
      for (const name of yield* files) yield* store.remove(name)
      const id = yield* send({ task: "edit_model", kwargs: { model: made, prompt: "a red coat" } })
      yield* seconds(60)
      assert.strictEqual((yield* failure(id)).type, "MediaError")
      assert.lengthOf(yield* ledger, 1)
    })
  )
})

it.effect("a file of a folder is no source where no store has it", () =>
  Effect.gen(function* () {
    const { failure, ledger, seconds, send, start } = yield* makeWorld
    yield* start()
    const model = { template_id: "t", image_url: "file:///etc/passwd" }
    const id = yield* send({ task: "edit_model", kwargs: { model, prompt: "a red coat" } })
    yield* seconds(30)
    const { message, type } = yield* failure(id)
    assert.strictEqual(type, "ValidationError")
    assert.include(message, "model.image_url: expected the URL of a picture")
    assert.lengthOf(yield* ledger, 0)
  })
)
