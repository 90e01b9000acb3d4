import { type Duration, Effect, Fiber } from "effect"

/**
 * `effect` for at most `patience`, then `None`; also in a finalizer. The waiting is done by a fiber of its own, because one
 * that is being interrupted cannot give up a wait: made interruptible, it would end at once.
 */
export const within = <A, E, R>(effect: Effect.Effect<A, E, R>, patience: Duration.Input) =>
  Effect.flatMap(Effect.forkDetach(Effect.timeoutOption(effect, patience), { startImmediately: true }), Fiber.join)
