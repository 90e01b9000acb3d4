import { Effect, FileSystem, Stream } from "effect"
import { dirname, join } from "node:path"
import { MediaSource } from "../../services/MediaSource.ts"
import { MediaStore } from "../../services/MediaStore.ts"
import type { Listed } from "../../services/ModelLibrary.ts"

/** What became of one row's picture. `There`: an earlier run has written it. */
export type Exported =
  | { readonly _tag: "Exported" | "There"; readonly row: Listed; readonly file: string }
  | { readonly _tag: "Failed"; readonly row: Listed; readonly why: string }

const EXTENSIONS = ["jpg", "png", "webp"] as const
/** By the first bytes: an address need not tell. */
const extensionOf = (bytes: Uint8Array): (typeof EXTENSIONS)[number] | "bin" => {
  const head = Buffer.from(bytes.subarray(0, 12)).toString("latin1")
  if (head.startsWith("\xff\xd8")) return "jpg"
  if (head.startsWith("\x89PNG")) return "png"
  return head.startsWith("RIFF") && head.endsWith("WEBP") ? "webp" : "bin"
}

/** A template id may be any text; one that is no plain file name is replaced by the row's id. */
const isPlain = (templateId: string) => /^[A-Za-z\d][\w.-]{0,149}$/.test(templateId)

/** Names files so that a person can read them, and no two of one run alike. */
const naming = () => {
  const taken = new Set<string>()
  return ({ id, templateId, version }: Listed) => {
    const readable = isPlain(templateId) ? `${templateId}_v${version}` : id
    const name = taken.has(readable) ? `${readable}_${id}` : readable
    taken.add(name)
    return name
  }
}

/**
 * Writes the pictures of these rows into a folder, a few at a time. A file gets its name when it is whole, so the export may be
 * broken off and run again: files that are there are not read a second time.
 */
export const exportTo = <E, R>(folder: string, rows: Stream.Stream<Listed, E, R>) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const store = yield* MediaStore
      const source = yield* MediaSource
      const nameOf = naming()

      const bytesOf = ({ imageUrl }: Listed) => {
        const name = store.kind === "unset" ? undefined : store.nameIn(imageUrl)
        return store.kind === "unset" || name === undefined ? source.read(imageUrl) : store.get(name)
      }
      const write = Effect.fnUntraced(function* (row: Listed, name: string) {
        const bytes = yield* bytesOf(row)
        const file = `${name}.${extensionOf(bytes)}`
        const part = join(folder, `.${file}.part`)
        yield* fs.writeFile(part, bytes)
        yield* fs.rename(part, join(folder, file))
        return { _tag: "Exported", row, file } satisfies Exported
      })
      const one = Effect.fnUntraced(function* (row: Listed) {
        const name = nameOf(row)
        for (const extension of [...EXTENSIONS, "bin"]) {
          const file = `${name}.${extension}`
          if (yield* fs.exists(join(folder, file))) return { _tag: "There", row, file } satisfies Exported
        }
        return yield* Effect.catchTags(write(row, name), {
          MediaError: ({ message }) => Effect.succeed({ _tag: "Failed", row, why: message } satisfies Exported),
          SourceError: ({ message }) => Effect.succeed({ _tag: "Failed", row, why: message } satisfies Exported)
        })
      })

      yield* fs.makeDirectory(folder, { recursive: true })
      return Stream.mapEffect(rows, one, { concurrency: 4 })
    })
  )

/** One line of JSON for each exported row, in a file that appears when it is whole. */
export const listInto = <E, R>(file: string, exported: Stream.Stream<Exported, E, R>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const part = `${file}.part`
    yield* fs.makeDirectory(dirname(file), { recursive: true })
    yield* fs.writeFileString(part, "")
    yield* Stream.runForEach(exported, (one) =>
      one._tag === "Failed"
        ? Effect.void
        : fs.writeFileString(part, `${JSON.stringify({ file: one.file, ...one.row })}\n`, { flag: "a" })
    )
    yield* fs.rename(part, file)
  })
