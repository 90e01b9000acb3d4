import { Clock, Effect, Stream } from "effect"
import type { Store, Stored } from "../../services/MediaStore.ts"
import { everything } from "../../services/ModelLibrary.ts"
import { rowsOf } from "./pages.ts"

/** A younger file may belong to a row that is about to be saved (milliseconds). */
const YOUNG = 86_400_000

/** The store's files that no row names and that are older than a day. */
export const garbage = Effect.fn("media.garbage")(function* (store: Store) {
  // The files first: one that comes later is too young, and a row that comes later names a file that is young too.
  const files = [...(yield* Stream.runCollect(store.list))]
  const named = new Set<string>()
  yield* Stream.runForEach(rowsOf(everything), ({ imageUrl, thumbnailUrl }) =>
    Effect.sync(() => {
      for (const address of [imageUrl, thumbnailUrl ?? ""]) {
        const name = store.nameIn(address)
        if (name !== undefined) named.add(name)
      }
    })
  )
  const now = yield* Clock.currentTimeMillis
  return files.filter(({ at, name }: Stored) => !named.has(name) && at < now - YOUNG)
})
