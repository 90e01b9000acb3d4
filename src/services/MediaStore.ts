import { Context, type Effect, type Option, Schema, type Stream } from "effect"

/** Why a store did not do what it was asked. */
export const MEDIA_REASONS = [
  /** The store cannot be reached, does not answer in time or reports an error of its own. */
  "away",
  /** The store has no room left. */
  "full",
  /** The store refuses: wrong credentials, missing rights, or no such bucket. A person has to act. */
  "refused",
  /** The store has no file of that name. */
  "missing"
] as const
export type MediaReason = (typeof MEDIA_REASONS)[number]

/** What a store is asked to do. */
export const MEDIA_OPERATIONS = ["put", "get", "stat", "remove", "recall", "isRecalled", "list", "check"] as const
export type MediaOperation = (typeof MEDIA_OPERATIONS)[number]

export class MediaError extends Schema.TaggedError<MediaError>()("MediaError", {
  operation: Schema.String,
  reason: Schema.Literals(MEDIA_REASONS),
  detail: Schema.String
}) {
  override get message() {
    return `${this.operation}: the media store is ${this.reason === "refused" ? "refusing" : this.reason}: ${this.detail}`
  }
  /** Whether the same call may work later without anybody's action. */
  get retryable() {
    return this.reason === "away"
  }
}

/** A file to be stored. */
export interface Media {
  /** Of `bytes`, in lower-case hex. */
  readonly sha256: string
  readonly bytes: Uint8Array
  readonly contentType: string
  /** Without a dot. */
  readonly extension: string
}

/** A stored file. */
export interface Stored {
  readonly name: string
  /** How long it is, in bytes. */
  readonly size: number
  /** When it was written (Unix milliseconds, by the store's clock). */
  readonly at: number
}

/** A file's name says what is in it: the SHA-256 of its bytes and its extension. */
export const nameOf = ({ extension, sha256 }: Pick<Media, "extension" | "sha256">) => `${sha256}.${extension}`
const NAME = /^[\da-f]{64}\.(?!recalled$)[a-z\d]{1,8}$/
export const isName = (text: string) => NAME.test(text)
/** Where this name is taken, the file of that hash has been recalled. */
export const recallOf = (sha256: string) => `${sha256}.recalled`

/** Every file's address is below this one, and ends in its name. */
export const addressesUnder = (base: string): Pick<Store, "addressOf" | "nameIn"> => {
  const under = `${base.replace(/\/+$/, "")}/`
  return {
    addressOf: (name) => under + name,
    nameIn: (address) => {
      const name = address.startsWith(under) ? address.slice(under.length) : ""
      return isName(name) ? name : undefined
    }
  }
}

/** Keeps files under the hashes of their bytes, so that nothing stored is ever changed. */
export interface Store {
  readonly kind: "directory" | "bucket" | "memory"
  /** Stores a file and gives its name. It is whole and safe once this succeeds. Storing it again changes nothing. */
  readonly put: (media: Media) => Effect.Effect<string, MediaError>
  /** A file's bytes, as they were stored. */
  readonly get: (name: string) => Effect.Effect<Uint8Array, MediaError>
  readonly stat: (name: string) => Effect.Effect<Option.Option<Stored>, MediaError>
  /** Removing what is not there succeeds. */
  readonly remove: (name: string) => Effect.Effect<void, MediaError>
  /** Marks the hash of a file as recalled, for ever. It leaves the file itself alone. */
  readonly recall: (sha256: string) => Effect.Effect<void, MediaError>
  readonly isRecalled: (sha256: string) => Effect.Effect<boolean, MediaError>
  /** All files that we put there, in no particular order. Marks and other files are left out. */
  readonly list: Stream.Stream<Stored, MediaError>
  /** May we write? Leaves nothing behind. Fails as `put` would. */
  readonly check: Effect.Effect<void, MediaError>
  /** Where the public finds a file, for ever: below MEDIA_URL, and never signed. */
  readonly addressOf: (name: string) => string
  /** The file name in one of this store's addresses; `undefined` for any other address. */
  readonly nameIn: (address: string) => string | undefined
}

/** MEDIA_STORE is not set: rows hold the provider's addresses, which end when the provider says so. */
export interface Unset {
  readonly kind: "unset"
}

export class MediaStore extends Context.Service<MediaStore, Store | Unset>()("model-generator/services/MediaStore") {}
