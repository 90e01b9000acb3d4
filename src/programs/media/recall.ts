import { Effect } from "effect"
import type { Store } from "../../services/MediaStore.ts"
import { type Model, ModelLibrary } from "../../services/ModelLibrary.ts"

/** The hash in a stored file's name. */
const hashIn = (name: string) => name.slice(0, name.indexOf("."))

/** The hash of the file that the provider gave, where the row tells it. Rows are also written by hand. */
const sourceHashOf = (metadata: Model["metadata"]) => {
  const hash = metadata?.["source_sha256"]
  return typeof hash === "string" && /^[\da-f]{64}$/.test(hash) ? [hash] : []
}

/** The names of a row's files in the store, the picture's first. */
export const filesOf = (store: Store, { imageUrl, thumbnailUrl }: Pick<Model, "imageUrl" | "thumbnailUrl">) =>
  [imageUrl, thumbnailUrl ?? ""].flatMap((address) => store.nameIn(address) ?? [])

/**
 * Deletes a picture for good: its files and its row. Their hashes are marked first, and that of the file the provider gave, so that no
 * worker stores the picture again, with whatever mark and signature. The row is deleted last: until then it can be found, and a recall that broke off be made again.
 */
export const recall = Effect.fn("media.recall")(function* (
  store: Store,
  row: Pick<Model, "id" | "imageUrl" | "metadata" | "thumbnailUrl">
) {
  const library = yield* ModelLibrary
  const files = filesOf(store, row)
  yield* Effect.forEach([...files.map(hashIn), ...sourceHashOf(row.metadata)], store.recall, { discard: true })
  yield* Effect.forEach(files, (name) => store.remove(name), { discard: true })
  yield* library.remove(row.id)
})
