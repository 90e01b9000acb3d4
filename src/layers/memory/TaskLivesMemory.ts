import { Effect, Layer } from "effect"
import { TaskLives } from "../../services/TaskLives.ts"
import { latest, read } from "../lifeText.ts"
import { MemoryBroker } from "./Broker.ts"

/** The lives of the broker in this process. Ids that the journal alone has are not found by their beginning. */
export const layer = Layer.effect(
  TaskLives,
  Effect.map(MemoryBroker, ({ lives }) =>
    TaskLives.of({
      of: (taskId) => Effect.sync(() => read(lives.of(taskId))),
      recent: (limit) =>
        Effect.sync(() => {
          const ids = [...lives.ids()].slice(-limit).toReversed()
          return latest(
            ids,
            ids.map((id) => lives.of(id).at(-1) ?? null)
          )
        }),
      beginning: (prefix, limit) => Effect.sync(() => [...lives.ids()].filter((id) => id.startsWith(prefix)).slice(0, limit))
    })
  )
)
