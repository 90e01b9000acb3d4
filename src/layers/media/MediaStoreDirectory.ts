import { Effect, Layer, Option, Stream } from "effect"
import { randomUUID } from "node:crypto"
import * as fs from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import {
  addressesUnder,
  isName,
  MediaError,
  type MediaReason,
  MediaStore,
  nameOf,
  recallOf,
  type Stored
} from "../../services/MediaStore.ts"
import { matching } from "./matching.ts"

const codeOf = (cause: unknown) =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string" ? cause.code : String(cause)

const reasons: Readonly<Record<string, MediaReason>> = {
  ENOENT: "missing",
  ENOSPC: "full",
  EDQUOT: "full",
  EACCES: "refused",
  EPERM: "refused",
  EROFS: "refused",
  ENOTDIR: "refused"
}

const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => {
      const detail = codeOf(cause)
      return new MediaError({ operation, reason: reasons[detail] ?? "away", detail })
    }
  })

const synced = async (path: string, flags: string, write: (file: fs.FileHandle) => Promise<unknown>) => {
  const file = await fs.open(path, flags)
  try {
    await write(file)
    await file.sync()
  } finally {
    await file.close()
  }
}
/** A rename is safe only once its folder is on the disk. */
const syncFolder = (path: string) => synced(path, "r", () => Promise.resolve())

const exists = (path: string) =>
  fs.access(path).then(
    () => true,
    () => false
  )

/** A file whose name begins like this is being written, or was when its writer was killed. */
const DRAFT = ".draft-"
/** No file takes longer to write (milliseconds): an older draft was left by a killed process. */
const ABANDONED = 3_600_000

/**
 * Files below `root`, in 256 folders named by the first two characters of their names. A file appears whole or not at all, and
 * stays after a power cut. `publicBase`: what its addresses begin with, where that is not the folder itself.
 */
export const layer = (root: string, publicBase: Option.Option<string>) =>
  Layer.sync(MediaStore, () => {
    const folderOf = (name: string) => join(root, name.slice(0, 2))
    const pathOf = (name: string) => join(folderOf(name), name)
    const addresses = Option.match(publicBase, {
      onSome: addressesUnder,
      onNone: () => ({
        addressOf: (name: string) => pathToFileURL(pathOf(name)).href,
        nameIn: (address: string) => {
          const name = address.slice(-address.length + address.lastIndexOf("/") + 1)
          return isName(name) && address === pathToFileURL(pathOf(name)).href ? name : undefined
        }
      })
    })

    /** The root is an operator's to make: one that is missing may be a disk that is not mounted. */
    const makeFolder = async (name: string) => {
      const folder = folderOf(name)
      if (await exists(folder)) return folder
      await fs.access(root)
      await fs.mkdir(folder).catch((error: unknown) => {
        if (codeOf(error) !== "EEXIST") throw error
      })
      await syncFolder(root)
      return folder
    }
    const write = async (name: string, bytes: Uint8Array) => {
      const folder = await makeFolder(name)
      const path = join(folder, name)
      const found = await fs.stat(path).catch(() => undefined)
      if (found?.size === bytes.length) return
      const draft = join(folder, DRAFT + randomUUID())
      try {
        await synced(draft, "wx", (file) => file.writeFile(bytes))
        await fs.rename(draft, path)
      } catch (error) {
        await fs.rm(draft, { force: true })
        throw error
      }
      await syncFolder(folder)
    }
    /** For a write, a missing root folder means that the store is away, not that a file is missing. */
    const writing = <A>(operation: string, run: () => Promise<A>) =>
      Effect.mapError(attempt(operation, run), (error) =>
        error.reason === "missing" ? new MediaError({ operation, reason: "away", detail: `${root} does not exist` }) : error
      )

    /** While the root is missing, so may be any file that was stored. */
    const reading = <A>(operation: string, run: () => Promise<A>) =>
      attempt(operation, run).pipe(
        Effect.catchIf(
          ({ reason }) => reason === "missing",
          (error) =>
            Effect.andThen(
              writing(operation, () => fs.access(root)),
              Effect.fail(error)
            )
        )
      )

    const statOf = async (name: string): Promise<Stored> => {
      const { mtimeMs, size } = await fs.stat(pathOf(name))
      return { name, size, at: Math.round(mtimeMs) }
    }
    const orNone = <A>(found: Effect.Effect<A, MediaError>) =>
      found.pipe(
        Effect.asSome,
        Effect.catchIf(
          ({ reason }) => reason === "missing",
          () => Effect.succeedNone
        )
      )

    const filesOf = Effect.fnUntraced(function* (folder: string) {
      const names = yield* attempt("list", () => fs.readdir(join(root, folder)))
      for (const draft of names.filter((name) => name.startsWith(DRAFT))) {
        const path = join(root, folder, draft)
        yield* Effect.ignore(
          attempt("list", async () => {
            if (Date.now() - (await fs.stat(path)).mtimeMs > ABANDONED) await fs.rm(path, { force: true })
          })
        )
      }
      const found = yield* Effect.forEach(
        names.filter((name) => isName(name) && name.startsWith(folder)),
        (name) => orNone(attempt("list", () => statOf(name)))
      )
      return found.flatMap(Option.toArray)
    })

    return MediaStore.of({
      kind: "directory",
      ...addresses,
      put: Effect.fn("MediaStore.put")(function* (media) {
        yield* matching(media)
        const name = nameOf(media)
        yield* writing("put", () => write(name, media.bytes))
        return name
      }),
      get: Effect.fn("MediaStore.get")((name) => reading("get", async () => new Uint8Array(await fs.readFile(pathOf(name))))),
      stat: Effect.fn("MediaStore.stat")((name) => orNone(reading("stat", () => statOf(name)))),
      remove: Effect.fn("MediaStore.remove")((name) =>
        Effect.catchIf(
          reading("remove", () => fs.rm(pathOf(name))),
          ({ reason }) => reason === "missing",
          () => Effect.void
        )
      ),
      recall: Effect.fn("MediaStore.recall")((sha256) => writing("recall", () => write(recallOf(sha256), new Uint8Array(0)))),
      isRecalled: Effect.fn("MediaStore.isRecalled")((sha256) =>
        Effect.map(orNone(reading("is recalled", () => statOf(recallOf(sha256)))), Option.isSome)
      ),
      list: Stream.fromIterableEffect(
        Effect.map(
          writing("list", () => fs.readdir(root)),
          (folders) => folders.filter((name) => /^[\da-f]{2}$/.test(name))
        )
      ).pipe(Stream.mapEffect(filesOf), Stream.flatMap(Stream.fromIterable)),
      check: writing("check", async () => {
        const probe = join(root, DRAFT + randomUUID())
        try {
          await synced(probe, "wx", (file) => file.writeFile("may we write?"))
        } finally {
          await fs.rm(probe, { force: true })
        }
      }).pipe(Effect.withSpan("MediaStore.check"))
    })
  })
