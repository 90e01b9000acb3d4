import { Effect, Option, Stream } from "effect"
import { type LibraryError, type Listed, ModelLibrary, type Selection } from "../../services/ModelLibrary.ts"

const PAGE = 200

/** All selected rows, the newest first, read a page at a time. */
export const rowsOf = (which: Selection): Stream.Stream<Listed, LibraryError, ModelLibrary> =>
  Stream.paginate<string | null, Listed, LibraryError, ModelLibrary>(null, (after) =>
    Effect.gen(function* () {
      const library = yield* ModelLibrary
      const rows = yield* library.list(which, after, PAGE)
      const last = rows.at(-1)
      return [rows, rows.length < PAGE || last === undefined ? Option.none() : Option.some(last.id)]
    })
  )
