import { Effect, Layer, Option, Stream } from "effect"
import { type MediaError, type MediaOperation, MediaStore } from "../../services/MediaStore.ts"
import * as Settings from "../../services/Settings.ts"
import { counting } from "../counting.ts"

/** The settings it reads. */
export const settings = [
  "MEDIA_STORE",
  "MEDIA_URL",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN"
] as const satisfies ReadonlyArray<Settings.Name>

/** The same store, whose failures are counted. */
const counted = <E, R>(layer: Layer.Layer<MediaStore, E, R>) =>
  Layer.effect(
    MediaStore,
    Effect.gen(function* () {
      const store = yield* MediaStore
      const count = yield* counting
      if (store.kind === "unset") return store
      const failed = (operation: MediaOperation) => (error: MediaError) =>
        count("media_store_errors_total", { operation, reason: error.reason })
      return MediaStore.of({
        ...store,
        put: (media) => Effect.tapError(store.put(media), failed("put")),
        get: (name) => Effect.tapError(store.get(name), failed("get")),
        stat: (name) => Effect.tapError(store.stat(name), failed("stat")),
        remove: (name) => Effect.tapError(store.remove(name), failed("remove")),
        recall: (sha256) => Effect.tapError(store.recall(sha256), failed("recall")),
        isRecalled: (sha256) => Effect.tapError(store.isRecalled(sha256), failed("isRecalled")),
        list: Stream.tapError(store.list, failed("list")),
        check: Effect.tapError(store.check, failed("check"))
      })
    })
  ).pipe(Layer.provide(layer))

/** The store that MEDIA_STORE names. The code of a kind of store is loaded where it is named, and nowhere else. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { MEDIA_STORE, MEDIA_URL } = yield* Settings.of("MEDIA_STORE", "MEDIA_URL")
    if (Option.isNone(MEDIA_STORE)) return Layer.succeed(MediaStore, { kind: "unset" })
    const address = MEDIA_STORE.value
    if (address.kind === "bucket") {
      const { layer } = yield* Effect.promise(() => import("./MediaStoreS3.ts"))
      return counted(layer(address, MEDIA_URL))
    }
    const { layer } = yield* Effect.promise(() => import("./MediaStoreDirectory.ts"))
    return counted(layer(address.path, MEDIA_URL))
  })
)
