import { Effect } from "effect"
import type { Store } from "../../services/MediaStore.ts"
import { type Model, ModelLibrary } from "../../services/ModelLibrary.ts"
import { type Left, Payloads } from "../../services/Payloads.ts"

/** The hash in a stored file's name. */
const hashIn = (name: string) => name.slice(0, name.indexOf("."))

/** The hash of the file that the provider gave, where the row tells it. Rows are also written by hand. */
const sourceHashOf = (metadata: Model["metadata"]) => {
  const hash = metadata?.["source_sha256"]
  return typeof hash === "string" && /^[\da-f]{64}$/.test(hash) ? [hash] : []
}

/** What became of that which the provider keeps of a picture's request. */
export type AtProvider =
  /** Rows made by hand name no request. */
  | { readonly _tag: "no request" }
  | { readonly _tag: "no key" | "not known"; readonly requestId: string }
  /** All but what is `left`. */
  | { readonly _tag: "deleted"; readonly requestId: string; readonly left: ReadonlyArray<Left> }
  | { readonly _tag: "failed"; readonly requestId: string; readonly why: string }

const deleteAtProvider = Effect.fnUntraced(function* (requestId: string | null): Effect.fn.Return<AtProvider, never, Payloads> {
  const payloads = yield* Payloads
  if (requestId === null) return { _tag: "no request" }
  if (!payloads.isDeletable) return { _tag: "no key", requestId }
  return yield* Effect.match(payloads.remove(requestId), {
    onSuccess: (deletion): AtProvider => ({ ...deletion, requestId }),
    onFailure: ({ message }): AtProvider => ({ _tag: "failed", requestId, why: message })
  })
})

/** The names of a row's files in the store, the picture's first. */
export const filesOf = (store: Store, { imageUrl, thumbnailUrl }: Pick<Model, "imageUrl" | "thumbnailUrl">) =>
  [imageUrl, thumbnailUrl ?? ""].flatMap((address) => store.nameIn(address) ?? [])

/**
 * Deletes a picture for good: its files and its row. Their hashes are marked first, and that of the file the provider gave, so that no
 * worker stores the picture again, with whatever mark and signature. What the provider keeps is deleted where there is a key for it;
 * when that fails, all the rest is done and the failure is in the answer. The row is deleted last: until then it can be found, and a recall that broke off be made again.
 */
export const recall = Effect.fn("media.recall")(function* (store: Store, row: Model) {
  const library = yield* ModelLibrary
  const files = filesOf(store, row)
  yield* Effect.forEach([...files.map(hashIn), ...sourceHashOf(row.metadata)], store.recall, { discard: true })
  yield* Effect.forEach(files, (name) => store.remove(name), { discard: true })
  const provider = yield* deleteAtProvider(row.falRequestId)
  yield* library.remove(row.id)
  return provider
})
