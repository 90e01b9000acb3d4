import { Context, Deferred } from "effect"

/** How a stop is asked for. A first signal interrupts the program; this tells what follows it. */
export const Stop = Context.Reference<{
  /** Completed when the stop must not wait: what is held goes back at once. */
  readonly hurry: Deferred.Deferred<void>
}>("model-generator/services/Stop", { defaultValue: () => ({ hurry: Deferred.makeUnsafe() }) })
