import { Deferred, Effect, Layer } from "effect"
import { Stop } from "../services/Stop.ts"

/** A second SIGTERM or SIGINT, or a first SIGQUIT, ends the patience of a stop that the first one began. */
export const layer = Layer.effect(
  Stop,
  Effect.gen(function* () {
    const hurry = yield* Deferred.make<void>()
    let asked = 0
    const onTerm = () => {
      if (++asked > 1) Deferred.doneUnsafe(hurry, Effect.void)
    }
    const onQuit = () => {
      Deferred.doneUnsafe(hurry, Effect.void)
      process.emit("SIGTERM")
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("SIGTERM", onTerm).on("SIGINT", onTerm).on("SIGQUIT", onQuit)),
      (on) => Effect.sync(() => on.off("SIGTERM", onTerm).off("SIGINT", onTerm).off("SIGQUIT", onQuit))
    )
    return { hurry }
  })
)
