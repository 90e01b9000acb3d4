import { Effect, Exit, Scope } from "effect"
import type { Redis } from "ioredis"
import { connect, WAIT } from "./connect.ts"
import type { Where } from "./where.ts"

/**
 * One waiting connection per list: `BLMOVE` of a list onto itself wakes when something is pushed and takes nothing. They are
 * opened by the first wait, because a program that only sends has no use for them, and follow the lists asked for.
 */
export const doorbells = Effect.fnUntraced(function* (where: Where) {
  const scope = yield* Effect.scope
  const lines = new Map<string, { readonly redis: Redis; readonly scope: Scope.Closeable }>()
  const ringing = new Map<string, Promise<unknown>>()
  /** One per wait, and gone with it: what a race leaves at a promise that lives on is never freed. */
  const waits = new Set<() => void>()

  const ring = (key: string, redis: Redis) => {
    const waiting = ringing.get(key) ?? redis.blmove(key, key, "RIGHT", "RIGHT", WAIT).finally(() => ringing.delete(key))
    ringing.set(key, waiting)
    return waiting
  }

  return {
    /** Gives a wait for a message in any of these lists, or for a change of the lists. */
    at: Effect.fnUntraced(function* (keys: ReadonlyArray<string>) {
      for (const [key, line] of lines) {
        if (keys.includes(key)) continue
        lines.delete(key)
        ringing.get(key)?.catch(() => {}) // ends with its connection, and nobody waits for it
        yield* Scope.close(line.scope, Exit.void)
      }
      for (const key of keys) {
        if (lines.has(key)) continue
        const own = yield* Scope.fork(scope)
        const redis = yield* Effect.provideService(connect(where, "blocking"), Scope.Scope, own)
        lines.set(key, { redis, scope: own })
      }
      return () => {
        const change = Promise.withResolvers<void>()
        waits.add(change.resolve)
        const rings = [...lines].map(([key, { redis }]) => ring(key, redis))
        return Promise.race([change.promise, ...rings]).finally(() => waits.delete(change.resolve))
      }
    }, Effect.uninterruptible),
    /** The lists are others now: whoever waits must ask again. */
    changed: () => {
      for (const wake of waits) wake()
    }
  }
})
