import { Effect } from "effect"
import { createHash } from "node:crypto"
import { isName, type Media, nameOf } from "../../services/MediaStore.ts"

/** A name that is not the hash of its file would never be noticed later, so a wrong name is a bug of the caller. */
export const matching = (media: Media) =>
  isName(nameOf(media)) && createHash("sha256").update(media.bytes).digest("hex") === media.sha256
    ? Effect.void
    : Effect.die(new Error(`the bytes of ${nameOf(media)} have another hash`))
