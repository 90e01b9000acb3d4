import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import * as MediaStoreMemory from "../../../src/layers/memory/MediaStoreMemory.ts"
import * as MetricsMemory from "../../../src/layers/memory/MetricsMemory.ts"
import { keep, metadataOf } from "../../../src/programs/media/keep.ts"
import { MediaSource, SourceError, type SourceReason } from "../../../src/services/MediaSource.ts"
import { MediaError, type MediaReason } from "../../../src/services/MediaStore.ts"
import { Metrics } from "../../../src/services/Metrics.ts"
import { theStore } from "../../contracts/mediaStore.ts"
import { valueOf } from "../../contracts/metrics.ts"
import { bytesOf, layer as textPictures, marked, sha256 } from "../../textPictures.ts"

const expected = { width: 768, height: 1024, mark: { model: "fal-ai/flux/dev", createdAt: 0, id: "r-1" } }

/** What its address gives: a text that is a picture when it says so, or why nothing came. */
type Answer = string | SourceReason

/** A world with one picture, at the addresses given and with the answers of each, one after another. */
const world = (answers: Record<string, ReadonlyArray<Answer>>) => {
  const asked: Array<string> = []
  const source = Layer.succeed(MediaSource, {
    read: (address) =>
      Effect.suspend(() => {
        const given = answers[address] ?? []
        const answer = given[asked.filter((one) => one === address).length] ?? given.at(-1) ?? "gone"
        asked.push(address)
        return answer === "away" || answer === "gone" || answer === "too large" || answer === "no address"
          ? Effect.fail(new SourceError({ reason: answer, detail: "scripted" }))
          : Effect.succeed(bytesOf(answer))
      })
  })
  let again = 0
  return {
    asked,
    /** How often its keeper was asked for the address again. */
    again: () => again,
    picture: { address: "old", expected, again: Effect.sync(() => (again++, "new")) },
    layer: Layer.mergeAll(source, textPictures, MediaStoreMemory.layer, MetricsMemory.layer)
  }
}

describe("a picture that becomes ours", () => {
  it.effect("is stored with its mark and its thumbnail, each under the hash of what is stored", () => {
    const { layer, picture } = world({ old: ["a picture"] })
    return Effect.gen(function* () {
      const store = yield* theStore
      const kept = yield* keep(store, picture)
      const ours = bytesOf(marked("a picture", expected.mark))
      assert.deepStrictEqual(yield* store.get(kept.name), ours)
      assert.deepStrictEqual(yield* store.get(kept.thumbnail), bytesOf(marked("a picture, small", expected.mark)))
      assert.strictEqual(kept.name, `${kept.sha256}.jpg`)
      assert.strictEqual(kept.sha256, sha256(ours))
      assert.strictEqual(kept.bytes, ours.length)
      assert.isTrue(kept.thumbnail.endsWith(".webp"))
      assert.deepStrictEqual(metadataOf(kept, "old", null), {
        sha256: kept.sha256,
        bytes: kept.bytes,
        content_type: "image/jpeg",
        width: 768,
        height: 1024,
        thumbhash: "a hash",
        phash: "0123456789abcdef",
        source_sha256: sha256(bytesOf("a picture")),
        source_url: "old",
        source_expires_at: null
      })
      const { body } = yield* Effect.flatMap(Metrics, ({ expose }) => expose)
      assert.strictEqual(valueOf(body, "pictures_stored_total"), 1)
      assert.strictEqual(valueOf(body, 'stored_bytes_total{what="picture"}'), kept.bytes)
    }).pipe(Effect.provide(layer))
  })

  it.effect("leaves the same two files when it is done again", () => {
    const { layer, picture } = world({ old: ["a picture"] })
    return Effect.gen(function* () {
      const store = yield* theStore
      assert.deepStrictEqual(yield* keep(store, picture), yield* keep(store, picture))
      assert.lengthOf(yield* Stream.runCollect(store.list), 2)
    }).pipe(Effect.provide(layer))
  })

  for (const lost of ["gone", "away"] as const)
    it.effect(`whose address is ${lost} is looked for where its keeper says now`, () => {
      const { again, asked, layer, picture } = world({ old: [lost], new: ["a picture"] })
      return Effect.gen(function* () {
        const store = yield* theStore
        yield* keep(store, picture)
        assert.deepStrictEqual([asked, again()], [["old", "new"], 1])
      }).pipe(Effect.provide(layer))
    })

  it.effect("that is nowhere fails as its last address does, and stores nothing", () => {
    const { layer, picture } = world({ old: ["gone"], new: ["gone"] })
    return Effect.gen(function* () {
      const store = yield* theStore
      const error = yield* Effect.flip(keep(store, picture))
      assert.deepInclude(error, { _tag: "SourceError", reason: "gone" })
      assert.lengthOf(yield* Stream.runCollect(store.list), 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("that came spoilt is read once more; one that is none is none, and is not stored", () => {
    const spoilt = world({ old: ["<html>"], new: ["a picture"] })
    const none = world({ old: ["<html>"], new: ["<html>"] })
    return Effect.gen(function* () {
      yield* Effect.flatMap(theStore, (store) => keep(store, spoilt.picture)).pipe(Effect.provide(spoilt.layer))
      yield* Effect.gen(function* () {
        const store = yield* theStore
        const error = yield* Effect.flip(keep(store, none.picture))
        assert.deepInclude(error, { _tag: "NoPicture", reason: "not a picture" })
        assert.lengthOf(yield* Stream.runCollect(store.list), 0)
      }).pipe(Effect.provide(none.layer))
      assert.lengthOf(none.asked, 2)
    })
  })

  it.effect("that is too large, or at no address that is followed, is not asked for again", () =>
    Effect.gen(function* () {
      for (const reason of ["too large", "no address"] as const) {
        const { again, layer, picture } = world({ old: [reason] })
        const error = yield* Effect.flip(Effect.flatMap(theStore, (store) => keep(store, picture))).pipe(Effect.provide(layer))
        assert.deepInclude(error, { _tag: "SourceError", reason })
        assert.strictEqual(again(), 0)
      }
    })
  )

  it.effect("of which the store takes the thumbnail alone is not ours, and is once the store takes it", () => {
    const { layer, picture } = world({ old: ["a picture"] })
    const reasons: ReadonlyArray<MediaReason> = ["away", "full", "refused"]
    return Effect.gen(function* () {
      const store = yield* theStore
      for (const reason of reasons) {
        const half: typeof store = {
          ...store,
          put: (media) =>
            media.extension === "webp" ? store.put(media) : Effect.fail(new MediaError({ operation: "put", reason, detail: "" }))
        }
        assert.deepInclude(yield* Effect.flip(keep(half, picture)), { _tag: "MediaError", reason })
      }
      const kept = yield* keep(store, picture)
      assert.isTrue(Option.isSome(yield* store.stat(kept.name)))
      assert.lengthOf(yield* Stream.runCollect(store.list), 2)
    }).pipe(Effect.provide(layer))
  })
})
