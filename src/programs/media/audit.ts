import { Clock, Effect, Stream } from "effect"
import { createHash } from "node:crypto"
import { MediaSource, type SourceError } from "../../services/MediaSource.ts"
import { type MediaError, MediaStore } from "../../services/MediaStore.ts"
import { AT_FAL, FAL_KEEPS, type Listed } from "../../services/ModelLibrary.ts"

/** Warned of this long before fal's keep ends (milliseconds). */
const SOON = 2 * 86_400_000

/**
 * How a row's picture is. `alive`: its bytes are there and, in our store, are those that its name says. `dying`: there, at fal,
 * and near the end of fal's keep or past it. `dead`: gone, or other bytes. `unknown`: its server did not answer.
 */
export type Health = "alive" | "dying" | "dead" | "unknown"
export interface Audited {
  readonly row: Listed
  readonly health: Health
  /** "" for `alive`. */
  readonly why: string
}

const atFal = new RegExp(AT_FAL, "i")

const one = Effect.fnUntraced(function* (
  row: Listed
): Effect.fn.Return<Omit<Audited, "row">, MediaError | SourceError, MediaSource | MediaStore> {
  const store = yield* MediaStore
  const name = store.kind === "unset" ? undefined : store.nameIn(row.imageUrl)
  if (store.kind !== "unset" && name !== undefined) {
    const bytes = yield* store.get(name)
    return name.startsWith(createHash("sha256").update(bytes).digest("hex"))
      ? { health: "alive", why: "" }
      : { health: "dead", why: "the stored bytes are not those that its name says" }
  }
  yield* (yield* MediaSource).read(row.imageUrl)
  const left = row.createdAt + FAL_KEEPS * 1000 - (yield* Clock.currentTimeMillis)
  return atFal.test(row.imageUrl) && left < SOON
    ? { health: "dying", why: `fal promises to keep it until ${new Date(row.createdAt + FAL_KEEPS * 1000).toISOString()}` }
    : { health: "alive", why: "" }
})

/** Reads the picture of each row, a few at a time. */
export const audit = <E, R>(rows: Stream.Stream<Listed, E, R>) =>
  Stream.mapEffect(
    rows,
    (row) =>
      one(row).pipe(
        Effect.catchTags({
          MediaError: ({ message, reason }) =>
            Effect.succeed({ health: reason === "missing" ? ("dead" as const) : ("unknown" as const), why: message }),
          SourceError: ({ message, reason }) =>
            Effect.succeed({ health: reason === "away" ? ("unknown" as const) : ("dead" as const), why: message })
        }),
        Effect.map((found): Audited => ({ row, ...found }))
      ),
    { concurrency: 4 }
  )
