import { Effect, Option } from "effect"
import { type Figure, stranger } from "./Figure.ts"
import { figureIn, sizeOf } from "./render.ts"

/** The picture that an edit starts from. */
export type Source =
  | { readonly _tag: "Drawn"; readonly figure: Figure; readonly width: number; readonly height: number }
  | { readonly _tag: "Unreadable"; readonly type: "file_download_error" | "image_load_error"; readonly msg: string }

const unreadable = (type: "file_download_error" | "image_load_error", msg: string): Source => ({ _tag: "Unreadable", type, msg })

/** Downloads it as fal would, from wherever it is; a `data:` URL holds it. Never fails. */
export const sourceAt = (url: string): Effect.Effect<Source> =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(url, { signal })
    return response.ok ? Buffer.from(await response.arrayBuffer()) : undefined
  }).pipe(
    Effect.timeout("20 seconds"),
    Effect.option,
    Effect.flatMap((bytes) => {
      if (Option.isNone(bytes) || bytes.value === undefined) {
        return Effect.succeed(
          unreadable("file_download_error", "Failed to download the file. Please check if the URL is accessible and try again.")
        )
      }
      const picture = bytes.value
      return Effect.map(
        Effect.promise(() => sizeOf(picture)),
        (size): Source =>
          size === undefined
            ? unreadable(
                "image_load_error",
                "Failed to load the image. Please ensure the image file is not corrupted and is in a supported format."
              )
            : {
                _tag: "Drawn",
                figure: Option.getOrElse(figureIn(picture), () => stranger(picture)),
                width: size[0],
                height: size[1]
              }
      )
    })
  )
