import { Effect } from "effect"
import type { Store } from "../../services/MediaStore.ts"
import { type Model, ModelLibrary } from "../../services/ModelLibrary.ts"

/** The hash in a stored file's name. */
const hashIn = (name: string) => name.slice(0, name.indexOf("."))

/** The names of a row's files in the store, the picture's first. */
export const filesOf = (store: Store, { imageUrl, thumbnailUrl }: Pick<Model, "imageUrl" | "thumbnailUrl">) =>
  [imageUrl, thumbnailUrl ?? ""].flatMap((address) => store.nameIn(address) ?? [])

/**
 * Deletes a picture for good: its files and its row. Their hashes are marked first, so that no worker stores them again. The row is
 * deleted last: until then it can be found, and a recall that broke off be made again.
 */
export const recall = Effect.fn("media.recall")(function* (store: Store, row: Pick<Model, "id" | "imageUrl" | "thumbnailUrl">) {
  const library = yield* ModelLibrary
  const files = filesOf(store, row)
  yield* Effect.forEach(files, (name) => store.recall(hashIn(name)), { discard: true })
  yield* Effect.forEach(files, (name) => store.remove(name), { discard: true })
  yield* library.remove(row.id)
})
