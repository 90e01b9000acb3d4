import { Effect, Layer, Option, PubSub } from "effect"
import { isFinal, ResultStore, type TaskResult } from "../services/ResultStore.ts"

export const layer = Layer.effect(
  ResultStore,
  Effect.gen(function* () {
    const results = new Map<string, TaskResult>()
    const published = yield* PubSub.unbounded<TaskResult>()
    return ResultStore.of({
      store: (result) =>
        Effect.suspend(() => {
          if (results.get(result.task_id)?.status === "SUCCESS") return Effect.void
          results.set(result.task_id, result)
          return Effect.asVoid(PubSub.publish(published, result))
        }),
      get: (taskId) => Effect.sync(() => Option.fromNullishOr(results.get(taskId))),
      awaitFinal: Effect.fnUntraced(function* (taskId: string) {
        const next = yield* PubSub.subscribe(published)
        while (true) {
          const stored = results.get(taskId)
          if (stored !== undefined && isFinal(stored.status)) return stored
          yield* PubSub.take(next)
        }
      }, Effect.scoped),
      saveGroup: () => Effect.void,
      ping: Effect.void
    })
  })
)
