import { Clock, Effect, Option, Schema, Stream } from "effect"
import { Flag } from "effect/cli"
import { MediaStore } from "../../services/MediaStore.ts"
import { AT_FAL, type Listed } from "../../services/ModelLibrary.ts"
import { rowsOf } from "../media/pages.ts"
import * as flags from "./flags.ts"

/** Which rows a command of the library is about. */

const places = ["store", "fal", "elsewhere"] as const
const atFal = new RegExp(AT_FAL, "i")

/** Where a row's picture is: in the media store, at fal, or at another address. */
export const placeOf = Effect.map(MediaStore, (store) => ({ imageUrl }: Listed): (typeof places)[number] => {
  if (store.kind !== "unset" && store.nameIn(imageUrl) !== undefined) return "store"
  return atFal.test(imageUrl) ? "fal" : "elsewhere"
})

/** An age as `30m`, `36h` or `7d`, in milliseconds. */
const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }
const age = (name: string, description: string) =>
  flags.optional(
    Flag.String(name).pipe(
      Flag.withMetavar("7d"),
      Flag.withDescription(`${description}, in minutes, hours or days: 30m, 36h, 7d`),
      Flag.withSchema(Schema.String.check(Schema.isPattern(/^\d{1,6}[mhd]$/))),
      Flag.map((text) => Number.parseInt(text, 10) * units[text.slice(-1)]!)
    )
  )

export const selection = {
  ...flags.filters,
  templateId: flags.templateId,
  version: flags.version,
  olderThan: age("older-than", "Only rows that are older than this"),
  newerThan: age("newer-than", "Only rows that are not older than this"),
  place: flags.optional(Flag.Literals("place", places).pipe(Flag.withDescription("Only rows whose picture is there")))
}

export interface Selected {
  readonly templateId: string | null
  readonly version: number | null
  readonly gender: ReadonlyArray<string> | null
  readonly age_range: ReadonlyArray<string> | null
  readonly body_type: ReadonlyArray<string> | null
  readonly pose: ReadonlyArray<string> | null
  readonly style: ReadonlyArray<string> | null
  readonly olderThan: number | null
  readonly newerThan: number | null
  readonly place: (typeof places)[number] | null
}

/** The selected rows, the newest first. */
export const rows = (input: Selected) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const ago = (milliseconds: number | null) =>
        Option.getOrNull(Option.map(Option.fromNullOr(milliseconds), (age) => now - age))
      const place = yield* placeOf
      const all = rowsOf({
        templateId: input.templateId,
        version: input.version,
        gender: input.gender,
        ageRange: input.age_range,
        bodyType: input.body_type,
        pose: input.pose,
        style: input.style,
        before: ago(input.olderThan),
        since: ago(input.newerThan)
      })
      return input.place === null ? all : Stream.filter(all, (row) => place(row) === input.place)
    })
  )
