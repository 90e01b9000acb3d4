import { Clock, Effect, Layer, Option, Stream } from "effect"
import { addressesUnder, MediaError, MediaStore, nameOf } from "../../services/MediaStore.ts"
import { matching } from "../media/matching.ts"

/** Files in this process, under addresses that no server answers. */
export const layer = Layer.sync(MediaStore, () => {
  const files = new Map<string, { readonly bytes: Uint8Array; readonly at: number }>()
  const recalled = new Set<string>()
  const stored = (name: string, { at, bytes }: { readonly bytes: Uint8Array; readonly at: number }) => ({
    name,
    size: bytes.length,
    at
  })
  return MediaStore.of({
    kind: "memory",
    ...addressesUnder("https://media.example/models"),
    put: Effect.fnUntraced(function* (media) {
      yield* matching(media)
      const name = nameOf(media)
      if (!files.has(name)) files.set(name, { bytes: media.bytes.slice(), at: yield* Clock.currentTimeMillis })
      return name
    }),
    get: (name) =>
      Effect.suspend(() => {
        const file = files.get(name)
        return file === undefined
          ? Effect.fail(new MediaError({ operation: "get", reason: "missing", detail: name }))
          : Effect.succeed(file.bytes.slice())
      }),
    stat: (name) => Effect.sync(() => Option.map(Option.fromUndefinedOr(files.get(name)), (file) => stored(name, file))),
    recall: (sha256) => Effect.sync(() => void recalled.add(sha256)),
    isRecalled: (sha256) => Effect.sync(() => recalled.has(sha256)),
    remove: (name) => Effect.sync(() => void files.delete(name)),
    list: Stream.suspend(() => Stream.fromIterable([...files].map(([name, file]) => stored(name, file)))),
    check: Effect.void
  })
})
