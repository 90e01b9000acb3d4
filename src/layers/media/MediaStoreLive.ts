import { Effect, Layer, Option } from "effect"
import { MediaStore } from "../../services/MediaStore.ts"
import * as Settings from "../../services/Settings.ts"

/** The settings it reads. */
export const settings = [
  "MEDIA_STORE",
  "MEDIA_URL",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN"
] as const satisfies ReadonlyArray<Settings.Name>

/** The store that MEDIA_STORE names. The code of a kind of store is loaded where it is named, and nowhere else. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { MEDIA_STORE, MEDIA_URL } = yield* Settings.of("MEDIA_STORE", "MEDIA_URL")
    if (Option.isNone(MEDIA_STORE)) return Layer.succeed(MediaStore, { kind: "unset" })
    const address = MEDIA_STORE.value
    if (address.kind === "bucket") {
      const { layer } = yield* Effect.promise(() => import("./MediaStoreS3.ts"))
      return layer(address, MEDIA_URL)
    }
    const { layer } = yield* Effect.promise(() => import("./MediaStoreDirectory.ts"))
    return layer(address.path, MEDIA_URL)
  })
)
