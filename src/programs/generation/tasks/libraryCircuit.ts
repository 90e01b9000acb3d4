import { Clock, Effect } from "effect"
import { type MediaError, MediaStore } from "../../../services/MediaStore.ts"
import { type LibraryError, ModelLibrary } from "../../../services/ModelLibrary.ts"
import { Vitals } from "../../../services/Vitals.ts"
import { Blocked } from "../../task/Task.ts"

/**
 * No picture is bought that could not be saved. The library counts as closed when a save fails because the database is away, when
 * the table takes no row of ours, when two pictures in a row were refused, whatever for, and when the media store takes no file.
 * While it is closed pictures that are paid wait for it, tasks that would buy one are parked, and a rehearsal, which leaves
 * nothing behind, finds out when it is open. So each worker may have as many pictures paid and not saved as it has slots.
 */

/** The name under which tasks wait for it. */
export const LIBRARY = "model_library"
/** Pictures refused in a row, each for good, that are no accident. */
const IN_A_ROW = 2
/** A save or a rehearsal that went well says this long that the next one will (milliseconds). */
const PROOF = 60_000
/** How long a rehearsal may take, with what drivers need to give up (milliseconds). */
const PATIENCE = 10_000
/** Pauses between rehearsals, twice as long each time (milliseconds): for an outage, and for what a person has to mend. */
const AWAY = { first: 1000, longest: 15_000 }
const REFUSED = { first: 15_000, longest: 300_000 }

const rehearse = Effect.gen(function* () {
  const library = yield* ModelLibrary
  const store = yield* MediaStore
  const both = Effect.andThen(store.kind === "unset" ? Effect.void : store.check, library.rehearse)
  return yield* Effect.timeoutOption(both, PATIENCE)
}).pipe(Effect.map((done) => (done._tag === "None" ? "the database or the media store does not answer" : "")))

/** No picture is bought until a rehearsal goes well. `retryable`: it may without anybody's action. */
export const closeLibrary = Effect.fnUntraced(function* (why: string, retryable: boolean) {
  const vitals = yield* Vitals
  const { library } = vitals
  const now = yield* Clock.currentTimeMillis
  const { first, longest } = retryable ? AWAY : REFUSED
  const known = library.closed !== ""
  library.closed = why
  if (known && now < library.next) return
  library.pause = Math.min(Math.max(first, library.pause * 2), longest)
  library.next = now + library.pause
  vitals.noticed.openUnsafe()
  if (known) return
  library.since = now
  const hint = retryable || why.includes("(run: ") ? "" : "; change the table or the media store so that it takes what is ours"
  yield* Effect.logError(`pictures cannot be saved, so none is bought${hint}`, { why })
})

const open = Effect.fnUntraced(function* () {
  const { library } = yield* Vitals
  library.provenAt = yield* Clock.currentTimeMillis
  if (library.closed === "") return
  library.closed = ""
  yield* Effect.logInfo("pictures can be saved again")
})

/** Makes one rehearsal and opens or closes the library by its outcome. */
const findOut = Effect.matchEffect(rehearse, {
  onFailure: ({ message, retryable }: LibraryError | MediaError) => closeLibrary(message, retryable),
  onSuccess: (silence) => (silence === "" ? open() : closeLibrary(silence, true))
})

/** Before a picture is bought that is to be saved: fails when it could not be. */
export const maySave = Effect.gen(function* () {
  const { library } = yield* Vitals
  const now = yield* Clock.currentTimeMillis
  if (library.closed === "" && now - library.provenAt >= PROOF) yield* findOut
  if (library.closed === "") return
  const after = Math.max(1, (library.next - now) / 1000)
  return yield* new Blocked({ by: LIBRARY, why: library.closed, after, reason: "closed" })
})

/** Rehearses when it is time to; to be asked now and then while the library is closed. */
export const tryAgain = Effect.gen(function* () {
  const { library } = yield* Vitals
  if (library.closed !== "" && library.next <= (yield* Clock.currentTimeMillis)) yield* findOut
})

/** A picture was saved. */
export const wentWell = Effect.gen(function* () {
  const { library } = yield* Vitals
  library.pause = 0
  library.refused.clear()
  yield* open()
})

/** A picture could not be saved. Gives whether that is its own fault: then its task may not try for ever. */
export const wentBadly = Effect.fnUntraced(function* (requestId: string, { message, retryable }: LibraryError) {
  if (retryable) return yield* Effect.as(closeLibrary(message, true), false)
  const takesOthers = yield* Effect.match(rehearse, { onFailure: () => false, onSuccess: (silence) => silence === "" })
  const { library } = yield* Vitals
  library.refused.add(requestId)
  if (!takesOthers || library.refused.size >= IN_A_ROW) yield* closeLibrary(message, false)
  return takesOthers
})
