import { Effect, Fiber } from "effect"
import * as TaskEvent from "../celery/TaskEvent.ts"
import type { Attempt } from "./Attempt.ts"
import { begun } from "./obstacles.ts"
import { leavePlace } from "./rateLimit.ts"
import * as Settle from "./settle.ts"

/**
 * Reports the start of a task, once: only now is it received and started for events and metrics, and only now is its turn under
 * the rate limit used up. A task that was parked before its start comes again as if for the first time. The work does not wait
 * until STARTED is stored; its end does, by `told`.
 */
export const beginningOf = <R>(attempt: Attempt<R>) => {
  const { context, message, request } = attempt
  const { emit, policy, vitals } = context
  let isBegun = false
  let storing: Fiber.Fiber<unknown> | undefined
  const begin = Effect.suspend(() => {
    if (isBegun) return Effect.void
    isBegun = true
    leavePlace(vitals, message.task, message.id)
    begun(vitals)
    vitals.totals.set(message.task, (vitals.totals.get(message.task) ?? 0) + 1)
    const told = Effect.logInfo("task started", { event: "started" }).pipe(
      Effect.andThen(emit(() => TaskEvent.received(message, request))),
      Effect.andThen(emit(() => TaskEvent.started(message.id)))
    )
    if (!policy.tracksStarted) return Effect.uninterruptible(told)
    const store = Effect.forkDetach(Settle.started(attempt), { startImmediately: true })
    return Effect.uninterruptible(
      Effect.map(Effect.andThen(told, store), (fiber) => {
        storing = fiber
      })
    )
  })
  return {
    begin,
    told: Effect.suspend(() => (storing === undefined ? Effect.void : Fiber.await(storing)))
  }
}
