import type { Result } from "effect"
import type { ContentType } from "../../../services/Pictures.ts"

/** What a picture's file says of itself, and how a mark is put into it. Read without decoding a pixel. */
export interface PictureFile {
  readonly contentType: ContentType
  readonly width: number
  readonly height: number
  /** The XMP packet in it that readers find first. */
  readonly packet: Buffer | undefined
  /** It has a C2PA manifest, which signs the whole file: any change makes it invalid. */
  readonly signed: boolean
  /**
   * The file with this packet where readers find it first: in the place of the packet that is there, or before it (`"before"`).
   * `undefined` where the packet is longer than the format allows.
   */
  readonly put: (packet: Buffer, where: "instead" | "before") => Buffer | undefined
}

export type Flaw = "truncated" | "cannot be decoded"
export type Read = Result.Result<PictureFile, Flaw>
