import { Effect, Equal, Layer, Option } from "effect"
import { type Generation, Journal, type State } from "../services/Journal.ts"

export const layer = Layer.sync(Journal, () => {
  const entries = new Map<string, Generation>()
  return Journal.of({
    find: (taskId) => Effect.sync(() => Option.fromNullishOr(entries.get(taskId))),
    advance: (taskId, previous, next) =>
      Effect.sync(() => {
        if (!Equal.equals(Option.fromNullishOr(entries.get(taskId)), previous)) return false
        if (Option.isSome(next)) entries.set(taskId, next.value)
        else entries.delete(taskId)
        return true
      }),
    counts: Effect.sync(() => {
      const counts: Record<State, number> = { Intended: 0, Submitted: 0, Generated: 0 }
      for (const { _tag } of entries.values()) counts[_tag]++
      return counts
    })
  })
})
