import { Effect, Stream } from "effect"
import type { Store } from "../../services/MediaStore.ts"
import { FAL_KEEPS, type Listed, ModelLibrary } from "../../services/ModelLibrary.ts"
import { keep, metadataOf } from "./keep.ts"

/** What became of one row. `ours`: its picture is in the store already. `changed`: somebody else changed the row meanwhile. */
export type Adopted =
  | { readonly _tag: "Adopted" | "Ours" | "Changed"; readonly row: Listed }
  /** `gone`: trying again will not help. */
  | { readonly _tag: "Failed"; readonly row: Listed; readonly gone: boolean; readonly why: string }

/** Rows of before there was a media store do not say which model made their picture. */
const MODEL = "fal.ai"

const one = Effect.fnUntraced(function* (store: Store, row: Listed) {
  if (store.nameIn(row.imageUrl) !== undefined) return { _tag: "Ours", row } satisfies Adopted
  const library = yield* ModelLibrary
  const mark = { model: MODEL, createdAt: row.createdAt, id: row.falRequestId ?? row.id }
  const address = row.imageUrl
  const stored = yield* keep(store, { address, again: Effect.succeed(address), expected: { width: null, height: null, mark } })
  const ends = new Date(row.createdAt + FAL_KEEPS * 1000).toISOString()
  const replaced = yield* library.replacePicture(row, {
    imageUrl: store.addressOf(stored.name),
    thumbnailUrl: store.addressOf(stored.thumbnail),
    metadata: { ...row.metadata, ...metadataOf(stored, address, ends) }
  })
  return { _tag: replaced ? "Adopted" : "Changed", row } satisfies Adopted
})

/**
 * Copies the pictures of these rows into the store, one after another, and puts their new addresses into the rows. A row
 * whose picture cannot be had keeps its address. It may be broken off and run again: what is done stays done.
 */
export const adopt = <E, R>(store: Store, rows: Stream.Stream<Listed, E, R>) =>
  Stream.mapEffect(rows, (row) =>
    Effect.catchTags(one(store, row), {
      SourceError: ({ message, reason }) =>
        Effect.succeed({ _tag: "Failed", row, gone: reason !== "away", why: message } satisfies Adopted),
      NoPicture: ({ message }) => Effect.succeed({ _tag: "Failed", row, gone: true, why: message } satisfies Adopted)
    })
  )
