import { Effect, FileSystem, Path, type PlatformError } from "effect"
import type { LedgerRow } from "../../fal-simulator/World.ts"
import { type Ended, type Made, titleOf } from "./demoStory.ts"
import { type Exhibit, gallery } from "./gallery.ts"
import { Failed } from "./outcome.ts"

const ABOUT = "Made by the demo: figures drawn by the fal simulator, asked for, paid once and saved by the real worker."

export interface Saved {
  readonly made: Made
  readonly editedFrom: string | null
  readonly file: string
  readonly bytes: Uint8Array
}

const because = (error: PlatformError.PlatformError) => {
  const { cause } = error.reason
  return cause instanceof Error ? (/^E[A-Z]+: [^,]+/.exec(cause.message)?.[0] ?? cause.message) : error.message
}

/** Makes one folder after the other: with `recursive`, Node never ends on a file system that cannot make folders (`/proc`). */
const makeFolder: (folder: string) => Effect.Effect<void, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path> =
  Effect.fnUntraced(function* (folder) {
    const fs = yield* FileSystem.FileSystem
    if (yield* fs.exists(folder)) return
    yield* makeFolder((yield* Path.Path).dirname(folder))
    yield* fs.makeDirectory(folder)
  })

/**
 * Makes the folder, and a file in it, so that one which takes no pictures is found out before any is made. Gives the media store that
 * is in it.
 */
export const prepare = Effect.fn("demo.prepare")(
  function* (folder: string) {
    const fs = yield* FileSystem.FileSystem
    yield* makeFolder(folder)
    yield* Effect.scoped(fs.makeTempFileScoped({ directory: folder }))
    const path = yield* Path.Path
    const store = path.resolve(folder, "store")
    yield* makeFolder(store)
    return (yield* Effect.orDie(path.toFileUrl(store))).href // a folder that was made has an address
  },
  (self, folder) =>
    Effect.mapError(
      self,
      (error) =>
        new Failed({ message: `no picture can be put into ${folder} (${because(error)}): choose another folder with --output` })
    )
)

/** Copies the pictures out of the store, under names that tell what they are, and lays the gallery beside them. */
export const keep = Effect.fn("demo.keep")(function* (ended: ReadonlyArray<Ended>, folder: string, foot: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const made = ended.flatMap((one) => (one._tag === "Made" ? [one] : []))
  const saved = yield* Effect.forEach(
    made,
    Effect.fnUntraced(function* ({ editedFrom, made }, at) {
      const bytes = yield* fs.readFile(yield* path.fromFileUrl(new URL(made.image_url)))
      const file = `${String(at + 1).padStart(2, "0")}_${made.gender ?? "edited"}_${made.age_range ?? ""}.jpg`
      yield* fs.writeFile(path.join(folder, file), bytes)
      return { made, editedFrom, file, bytes } satisfies Saved
    }),
    { concurrency: 4 }
  ).pipe(Effect.mapError((error) => new Failed({ message: `the pictures could not be put into ${folder}: ${error.message}` })))
  const page = gallery("model-generator", ABOUT, foot, saved.map(exhibit))
  yield* Effect.mapError(
    fs.writeFileString(path.join(folder, "index.html"), page),
    (error) => new Failed({ message: `the gallery could not be written: ${error.message}` })
  )
  return saved
})
const exhibit = ({ bytes, editedFrom, made }: Saved): Exhibit => ({
  title: `${made.gender ?? ""}, ${made.age_range ?? ""}`,
  about: [made.body_type, made.pose, made.style].join(" · "),
  name: `${titleOf(made)}, seed ${made.seed ?? "?"}`,
  data: `data:image/jpeg;base64,${Buffer.from(bytes).toString("base64")}`,
  prompt: made.prompt,
  editedFrom
})

/** The promise in numbers: what fal billed against what came of it. */
export const account = (ledger: ReadonlyArray<LedgerRow>, ended: ReadonlyArray<Ended>) => {
  const paid = ledger.filter((row) => row.units > 0)
  const made = ended.flatMap((one) => (one._tag === "Made" ? [one.made] : []))
  const refused = ended.flatMap((one) => (one._tag === "Refused" ? [one] : []))
  const asked = new Set(made.map((one) => one.fal_request_id))
  return {
    paid: paid.length,
    saved: made.filter((one) => one.saved).length,
    paid_twice: paid.filter((row) => !asked.has(row.requestId)).length,
    refused_unpaid: refused.filter((one) => one.onPurpose).length,
    failed: refused.filter((one) => !one.onPurpose).length
  }
}

/** The demo's last table. Whether all are saved is said below it. */
export const TITLES = ["template", "v", "seed", "secs", "file"]
export const row = ({ file, made }: Saved) => [
  made.template_id,
  String(made.version ?? "-"),
  String(made.seed ?? "-"),
  (made.processing_time_ms / 1000).toFixed(1),
  file
]
