import { Effect, Layer, Option, PubSub } from "effect"
import { type ChordPart, givesWay, isFinal, ResultStore, type ResultTuple, type TaskResult } from "../../services/ResultStore.ts"

export const layer = Layer.effect(
  ResultStore,
  Effect.gen(function* () {
    const results = new Map<string, TaskResult>()
    const groups = new Map<string, ResultTuple>()
    const sizes = new Map<string, number>()
    const parts = new Map<string, Map<string, { readonly index: number; readonly part: ChordPart }>>()
    const published = yield* PubSub.unbounded<TaskResult>()
    return ResultStore.of({
      store: (result) =>
        Effect.suspend(() => {
          const stored = results.get(result.task_id)
          if (stored !== undefined && !givesWay(stored.status, result.status)) return Effect.void
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
      saveGroup: (id, taskIds) =>
        Effect.sync(() => {
          groups.set(id, { id, parent: null, children: taskIds.map((task) => ({ id: task, parent: null, children: null })) })
        }),
      saveGroupTree: (group) => Effect.sync(() => groups.set(group.id, group)),
      loadGroup: (groupId) => Effect.sync(() => Option.fromNullishOr(groups.get(groupId))),
      setChordSize: (groupId, size) => Effect.sync(() => sizes.set(groupId, size)),
      addChordPart: (groupId, index, part) =>
        Effect.sync(() => {
          const all = parts.get(groupId) ?? new Map<string, { readonly index: number; readonly part: ChordPart }>()
          parts.set(groupId, all)
          if (all.get(part.taskId)?.part.status !== "SUCCESS") all.set(part.taskId, { index: index ?? Infinity, part })
          if (all.size < (sizes.get(groupId) ?? Infinity)) return Option.none()
          return Option.some([...all.values()].toSorted((a, b) => (a.index < b.index ? -1 : 1)).map((one) => one.part))
        }),
      dropChord: (groupId) =>
        Effect.sync(() => {
          parts.delete(groupId)
          sizes.delete(groupId)
        }),
      ping: Effect.void
    })
  })
)
