import { Clock, Effect } from "effect"
import { createHash } from "node:crypto"
import type { StoredPicture } from "../../services/Journal.ts"
import { MediaSource, type SourceError } from "../../services/MediaSource.ts"
import type { Store } from "../../services/MediaStore.ts"
import { Metrics } from "../../services/Metrics.ts"
import { type Expected, NoPicture, Pictures } from "../../services/Pictures.ts"

/** A picture that somebody else keeps for a while. */
export interface Foreign<E, R> {
  readonly address: string
  /** Asks its keeper for the address once more: it may have changed. Buys nothing. */
  readonly again: Effect.Effect<string, E, R>
  readonly expected: Expected
}

const mayBeElsewhere = ({ reason }: SourceError) => reason === "gone" || reason === "away"

/** Fails where a curator has recalled a picture with one of these hashes: of the stored file, or of the file that it came as. */
export const unlessRecalled = (store: Store, { sha256, sourceSha256 }: Pick<StoredPicture, "sha256" | "sourceSha256">) =>
  Effect.forEach(
    sourceSha256 === undefined ? [sha256] : [sha256, sourceSha256],
    (hash) =>
      Effect.flatMap(store.isRecalled(hash), (isRecalled) =>
        isRecalled ? Effect.fail(new NoPicture({ reason: "recalled", detail: `the file ${hash}` })) : Effect.void
      ),
    { discard: true }
  )

const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/**
 * Makes a picture ours: reads its bytes, examines and marks them, and stores them with a thumbnail. Everything it stores follows
 * from the bytes and what is expected of them, so doing it again, after a crash at any instant, leaves the same two files. Only a
 * signature may be another one the second time: then the first file is named by no row, and `library gc` deletes it. Fails
 * `NoPicture` only after a second reading: the first may have been spoilt on its way.
 */
export const keep = Effect.fn("media.keep")(function* <E, R>(store: Store, { address, again, expected }: Foreign<E, R>) {
  const source = yield* MediaSource
  const pictures = yield* Pictures
  const metrics = yield* Metrics
  const before = yield* Clock.currentTimeMillis
  const readAgain = Effect.flatMap(again, source.read)
  const examine = (bytes: Uint8Array) =>
    Effect.map(pictures.examine(bytes, expected), (found) => ({ ...found, sourceSha256: sha256Of(bytes) }))
  const examined = yield* source.read(address).pipe(
    Effect.catchIf(mayBeElsewhere, () => readAgain),
    Effect.flatMap((bytes) => Effect.catchTag(examine(bytes), "NoPicture", () => Effect.flatMap(readAgain, examine)))
  )
  const { bytes, contentType, height, phash, sha256, sourceSha256, thumbhash, unsigned, width } = examined
  if (unsigned !== null) {
    yield* Effect.logWarning("a picture is not signed, and is stored with its XMP mark alone", { problem: unsigned, sha256 })
    yield* metrics.count("pictures_unsigned_total", {})
  }
  yield* unlessRecalled(store, examined)
  const thumbnail = {
    bytes: examined.thumbnail,
    sha256: sha256Of(examined.thumbnail),
    contentType: "image/webp",
    extension: "webp"
  }
  // The thumbnail first: where the picture is, its thumbnail is too.
  const stored = {
    thumbnail: yield* store.put(thumbnail),
    name: yield* store.put(examined),
    sha256,
    bytes: bytes.length,
    sourceSha256,
    contentType,
    width,
    height,
    thumbhash,
    phash
  } satisfies StoredPicture
  yield* metrics.count("pictures_stored_total", {})
  yield* metrics.count("stored_bytes_total", { what: "picture" }, bytes.length)
  yield* metrics.count("stored_bytes_total", { what: "thumbnail" }, thumbnail.bytes.length)
  yield* metrics.observe("store_duration_seconds", {}, ((yield* Clock.currentTimeMillis) - before) / 1000)
  return stored
})

/** What a row's metadata tell of a stored picture, beside what its task put there. */
export const metadataOf = (stored: StoredPicture, sourceUrl: string | null, sourceExpiresAt: string | null) => ({
  sha256: stored.sha256,
  bytes: stored.bytes,
  content_type: stored.contentType,
  width: stored.width,
  height: stored.height,
  thumbhash: stored.thumbhash,
  phash: stored.phash,
  ...(stored.sourceSha256 === undefined ? {} : { source_sha256: stored.sourceSha256 }),
  source_url: sourceUrl,
  source_expires_at: sourceExpiresAt
})
