import { Effect } from "effect"
import { Generator, type GeneratorError } from "../../../services/Generator.ts"
import type { StoredPicture } from "../../../services/Journal.ts"
import type { SourceError } from "../../../services/MediaSource.ts"
import { type MediaError, MediaStore, type Store } from "../../../services/MediaStore.ts"
import { Metrics } from "../../../services/Metrics.ts"
import { FAL_KEEPS } from "../../../services/ModelLibrary.ts"
import type { NoPicture, PicturesUnavailable } from "../../../services/Pictures.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import { keep, metadataOf, unlessRecalled } from "../../media/keep.ts"
import { RetryLater, type Task } from "../../task/Task.ts"
import * as Entry from "../purchase/JournalEntry.ts"
import type { Bought } from "../purchase/payOnce.ts"
import { closeLibrary } from "./libraryCircuit.ts"

/** A picture whose bytes are in our media store, as its row tells of it. */
export interface Kept {
  readonly imageUrl: string
  readonly thumbnailUrl: string
  readonly metadata: ReturnType<typeof metadataOf>
}

/** The paid picture waits: only the step that failed is made again. */
const wait = (detail: string, counted: boolean) =>
  new RetryLater({ reason: "media", failure: TaskFailure.mediaError(detail), counted, atLeast: 0 })

/** The file at fal's address is not the picture that was paid for: final, as fal would deliver the same file again. */
const unusable = Effect.fnUntraced(function* (endpoint: string, reason: string, detail: string) {
  const metrics = yield* Metrics
  yield* metrics.count("pictures_unusable_total", { reason })
  yield* metrics.count("paid_thrown_away_total", { endpoint })
  return yield* TaskFailure.pictureUnusable(detail)
})

const notKept = (endpoint: string) =>
  Effect.fnUntraced(function* (error: MediaError | SourceError | NoPicture | PicturesUnavailable | GeneratorError) {
    yield* Effect.logWarning("a paid picture cannot be stored yet", { error: error.message, reason: error._tag })
    switch (error._tag) {
      case "NoPicture":
        return yield* unusable(endpoint, error.reason, error.message)
      case "MediaError":
        yield* closeLibrary(error.message, error.retryable)
        return yield* wait(error.message, false)
      case "PicturesUnavailable":
        yield* closeLibrary(`pictures cannot be examined: ${error.detail}`, false)
        return yield* wait(error.detail, false)
      case "SourceError":
        if (error.reason === "too large" || error.reason === "no address")
          return yield* unusable(endpoint, error.reason, error.message)
        // An outage passes. What is gone from its address is asked for a few times more, and then lost.
        return yield* wait(`fal's media: ${error.message}`, error.reason === "gone")
      case "GeneratorError":
        return yield* wait(`fal: ${error.message}`, error.reason._tag !== "Unreachable")
    }
  })

/** Stores the picture and its thumbnail, and writes that into the journal. */
const store = Effect.fnUntraced(function* (task: Task, generated: Entry.Generated, into: Store) {
  const generator = yield* Generator
  const { at, endpoint, picture, requestId } = generated
  const media: StoredPicture = yield* keep(into, {
    address: picture.url,
    again: Effect.map(generator.result(Entry.ticketOf(generated)), ({ url }) => url),
    expected: { width: picture.width, height: picture.height, mark: { model: endpoint, createdAt: at, id: requestId } }
  }).pipe(Effect.catch(notKept(endpoint)))
  yield* Entry.advance(task, { ...generated, media })
  return media
})

/**
 * Makes a bought picture ours before its row is saved: its bytes, marked, and a thumbnail are put into the media store. Undefined
 * where MEDIA_STORE is not set: then the row holds fal's address. A crash at any instant leaves the same two files and pays
 * nothing.
 */
export const keepPicture = Effect.fn("generation.keep")(function* (task: Task, { generated }: Bought) {
  const into = yield* MediaStore
  if (into.kind === "unset") return undefined
  // It may have been recalled since an earlier run stored it.
  if (generated.media !== undefined) yield* unlessRecalled(into, generated.media).pipe(Effect.catch(notKept(generated.endpoint)))
  const media = generated.media ?? (yield* store(task, generated, into))
  const { url } = generated.picture
  const ends = new Date(generated.at + FAL_KEEPS * 1000).toISOString()
  return {
    imageUrl: into.addressOf(media.name),
    thumbnailUrl: into.addressOf(media.thumbnail),
    // A data URL is the picture itself, and has no end.
    metadata: url.startsWith("data:") ? metadataOf(media, null, null) : metadataOf(media, url, ends)
  } satisfies Kept
})
