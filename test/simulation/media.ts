import { Effect } from "effect"
import type { MediaSource } from "../../src/services/MediaSource.ts"
import type { Store } from "../../src/services/MediaStore.ts"
import type { Dice } from "./Dice.ts"
import { BROKEN_OFF, bytesOf, sha256 } from "../textPictures.ts"

/** fal's media server: every address has a file. Now and then what comes breaks off, and is whole the next time. */
export const mediaSource = (dice: Dice): MediaSource["Service"] => {
  const brokenOff = new Set<string>()
  return {
    read: (address) =>
      Effect.sync(() => {
        const text = `a picture from ${address}`
        if (brokenOff.delete(address) || !dice.chance(0.05)) return bytesOf(text)
        brokenOff.add(address)
        return bytesOf(text + BROKEN_OFF)
      })
  }
}

/** What is wrong with a saved row's picture; undefined when its files are in the store, and are what their names say. */
export const wrongWith = Effect.fnUntraced(function* (
  store: Store,
  { imageUrl, thumbnailUrl }: { readonly imageUrl: string; readonly thumbnailUrl: string | null }
) {
  for (const address of [imageUrl, thumbnailUrl ?? ""]) {
    const name = store.nameIn(address)
    if (name === undefined) return `row without a stored picture: ${address}`
    const bytes = yield* Effect.option(store.get(name))
    if (bytes._tag === "None") return `row before its bytes: ${name}`
    if (!name.startsWith(sha256(bytes.value))) return `stored under another hash: ${name}`
  }
  return undefined
})
