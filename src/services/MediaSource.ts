import { Context, type Effect, Schema } from "effect"

/** Why a file could not be had. */
export const SOURCE_REASONS = [
  /** The server does not answer in time, breaks off or reports an error: the same address may work later. */
  "away",
  /** Its server says that it is not there, or not for us: another address may have it. */
  "gone",
  /** The answer is longer than any picture. */
  "too large",
  /** The address is none that is followed: only http, https and data are. */
  "no address"
] as const
export type SourceReason = (typeof SOURCE_REASONS)[number]

export class SourceError extends Schema.TaggedError<SourceError>()("SourceError", {
  reason: Schema.Literals(SOURCE_REASONS),
  detail: Schema.String
}) {
  override get message() {
    return `${this.reason}: ${this.detail}`
  }
}

/** The longest file that is read, in bytes. */
export const LONGEST = 64 * 1024 * 1024

/** Where the provider's files are read from. */
export class MediaSource extends Context.Service<
  MediaSource,
  {
    /** All of a file's bytes, and never part of them. Whether they are a picture is not asked here. */
    readonly read: (address: string) => Effect.Effect<Uint8Array, SourceError>
  }
>()("model-generator/services/MediaSource") {}
