import { Effect, Layer } from "effect"
import { TaskLives } from "../../services/TaskLives.ts"
import * as kombu from "../../wire/kombu.ts"
import { latest, read } from "../lifeText.ts"
import * as Connections from "./Connections.ts"
import { attempt } from "./shared.ts"
import { broker } from "./where.ts"

/** How many ids are read at once. */
const PAGE = 5000

/** Reads the lives that the scripts of the queue and of the journal have written. */
export const layer = Layer.effect(
  TaskLives,
  Effect.gen(function* () {
    const redis = yield* (yield* Connections.Connections).commands(yield* broker)
    const beginning = async (index: string, prefix: string, found: Set<string>, limit: number) => {
      for (let from = 0; found.size < limit; from += PAGE) {
        const ids = await redis.zrange(index, String(from), String(from + PAGE - 1))
        for (const id of ids) if (id.startsWith(prefix)) found.add(id)
        if (ids.length < PAGE) return
      }
    }
    return TaskLives.of({
      of: (taskId) =>
        Effect.map(
          attempt("read a life", () => redis.lrange(kombu.life(taskId), 0, -1)),
          read
        ),
      recent: (limit) =>
        attempt("look for lives", async () => {
          const ids = await redis.zrevrange(kombu.lives, "0", String(limit - 1))
          const lasts = await Promise.all(ids.map((id) => redis.lindex(kombu.life(id), -1)))
          return latest(ids, lasts)
        }),
      beginning: (prefix, limit) =>
        attempt("look for lives", async () => {
          const found = new Set<string>()
          for (const index of [kombu.lives, kombu.journalKept]) await beginning(index, prefix, found, limit)
          return [...found].slice(0, limit)
        })
    })
  })
).pipe(Layer.provide(Connections.layer))
