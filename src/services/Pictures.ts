import { Context, type Effect, Schema } from "effect"

/** The kinds of picture file that are known by their first bytes. */
export const ContentType = Schema.Literals(["image/jpeg", "image/png", "image/webp"])
export type ContentType = typeof ContentType.Type

export const extensions: Readonly<Record<ContentType, string>> = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp" }

/** Why a file is not the picture that was paid for. */
export const Reason = Schema.Literals([
  /** Neither JPEG nor PNG nor WebP, by its first bytes: a page of HTML, or nothing at all. */
  "not a picture",
  /** The file ends before the picture does. */
  "truncated",
  "cannot be decoded",
  /** More bytes or more pixels than are examined. */
  "too large",
  /** Another width or height than the provider named. */
  "other dimensions",
  /** Nothing but one colour, as a safety checker's black picture. */
  "one colour",
  /** A curator has had it deleted for good. */
  "recalled",
  /** It ended two processes that decoded it, or kept each of them busy for too long. */
  "breaks the decoder"
])
export type Reason = typeof Reason.Type

/** The file is not the picture that was paid for; examining the same bytes again gives the same answer. */
export class NoPicture extends Schema.TaggedError<NoPicture>()("NoPicture", { reason: Reason, detail: Schema.String }) {
  override get message() {
    return this.detail === "" ? this.reason : `${this.reason}: ${this.detail}`
  }
}

/** The process that decodes or signs pictures does not start. It says nothing about the picture, and the same call may work later. */
export class PicturesUnavailable extends Schema.TaggedError<PicturesUnavailable>()("PicturesUnavailable", {
  detail: Schema.String
}) {}

/**
 * What a file says of where it comes from. The same bytes with the same mark give the same file, and so the same hash, unless
 * the file is signed with a key whose signatures are random, as all are but those of Ed25519.
 */
export interface Mark {
  /** The model that made it, as the provider calls it. */
  readonly model: string
  /** When it was made, in Unix ms. */
  readonly createdAt: number
  /** What the provider calls the request. */
  readonly id: string
}

/** What is expected of a picture's file; a dimension that the provider did not name is null. */
export interface Expected {
  readonly width: number | null
  readonly height: number | null
  readonly mark: Mark
}

/** A picture that was decoded to its last pixel. */
export interface Examined {
  readonly contentType: ContentType
  /** Without a dot. */
  readonly extension: string
  /** In pixels, as the file's header says. */
  readonly width: number
  readonly height: number
  /**
   * The file with its mark, and signed where a certificate is set: the same compressed pixels as before. A file that came with a
   * C2PA manifest is left as it is.
   */
  readonly bytes: Uint8Array
  /** Why the file is not signed though a certificate is set; null otherwise. */
  readonly unsigned: string | null
  /** Of `bytes`, in lower-case hex. */
  readonly sha256: string
  /** A WebP file of at most 512 pixels a side, marked too. */
  readonly thumbnail: Uint8Array
  /** Some 25 bytes from which a blurred placeholder can be drawn, in base64. */
  readonly thumbhash: string
  /** 64 bits in hex: pictures that look alike differ in few of them. */
  readonly phash: string
}

export class Pictures extends Context.Service<
  Pictures,
  {
    /** Tells a picture by its bytes, decodes all of it, marks it as made by a model and signs that. */
    readonly examine: (bytes: Uint8Array, expected: Expected) => Effect.Effect<Examined, NoPicture | PicturesUnavailable>
  }
>()("model-generator/services/Pictures") {}
