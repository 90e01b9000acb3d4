import { Effect, Fiber } from "effect"
import { Vitals } from "../../services/Vitals.ts"
import * as TaskEvent from "../celery/TaskEvent.ts"
import type { Attempt } from "./Attempt.ts"
import { begun } from "./obstacles.ts"
import { leavePlace } from "./orders.ts"
import { Outside, Policy } from "./Outside.ts"
import * as Settle from "./settle.ts"

/**
 * The beginning of a task's work, which is told once: only then has a task been received and started for who listens or counts, and
 * used up its turn at the rate limit. One put aside before has not been seen by anybody, and comes again as if for the first time.
 * The work does not wait for STARTED to be stored; its end waits for that, by `told`.
 */
export const beginningOf = <R>(attempt: Attempt<R>) => {
  const { message, request } = attempt
  let isBegun = false
  let storing: Fiber.Fiber<unknown> | undefined
  const tell = Effect.gen(function* () {
    const vitals = yield* Vitals
    const { emit } = yield* Outside
    const { tracksStarted } = yield* Policy
    leavePlace(vitals, message.task, message.id)
    begun(vitals)
    vitals.totals.set(message.task, (vitals.totals.get(message.task) ?? 0) + 1)
    yield* emit(() => TaskEvent.received(message, request))
    yield* emit(() => TaskEvent.started(message.id))
    if (tracksStarted) storing = yield* Effect.forkDetach(Settle.started(attempt), { startImmediately: true })
  })
  return {
    begin: Effect.suspend(() => {
      if (isBegun) return Effect.void
      isBegun = true
      return Effect.uninterruptible(tell)
    }),
    told: Effect.suspend(() => (storing === undefined ? Effect.void : Fiber.await(storing)))
  }
}
