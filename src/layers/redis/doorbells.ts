import { Effect, Exit, Scope } from "effect"
import { connect, WAIT } from "./connect.ts"
import type { Where } from "./where.ts"

/**
 * `BLMOVE` answers with the message. Of a reply longer than this the beginning is enough, and the rest ends with its connection:
 * the claim reads the message, or puts one aside that is too large to be read.
 */
const LOUD = 256 * 1024

interface Line {
  readonly redis: Effect.Success<ReturnType<typeof connect>>
  readonly scope: Scope.Closeable
  /** Its connection was ended by a long reply. */
  spent: boolean
}

/**
 * One waiting connection per list: `BLMOVE` of a list onto itself wakes when something is pushed and takes nothing. They are
 * opened by the first wait, because a program that only sends has no use for them, and follow the lists asked for.
 */
export const doorbells = Effect.fnUntraced(function* (where: Where) {
  const scope = yield* Effect.scope
  const lines = new Map<string, Line>()
  const ringing = new Map<string, Promise<unknown>>()
  /** One per wait, and gone with it: what a race leaves at a promise that lives on is never freed. */
  const waits = new Set<() => void>()

  const ring = (key: string, line: Line) => {
    const known = ringing.get(key)
    if (known !== undefined) return known
    const { redis } = line
    const { stream } = redis
    const loud = Promise.withResolvers<void>()
    let bytes = 0
    const heard = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= LOUD || line.spent) return
      line.spent = true
      redis.onFailed = () => {} // it is we who end it
      redis.disconnect()
      loud.resolve()
    }
    const asked = redis.blmove(key, key, "RIGHT", "RIGHT", WAIT).catch((error: unknown) => {
      if (!line.spent) throw error
    })
    stream?.on("data", heard)
    const waiting = Promise.race([asked, loud.promise]).finally(() => {
      stream?.off("data", heard)
      ringing.delete(key)
    })
    ringing.set(key, waiting)
    return waiting
  }

  return {
    /** Gives a wait for a message in any of these lists, or for a change of the lists. */
    at: Effect.fnUntraced(function* (keys: ReadonlyArray<string>) {
      for (const [key, line] of lines) {
        if (keys.includes(key) && !line.spent) continue
        lines.delete(key)
        ringing.get(key)?.catch(() => {}) // ends with its connection, and nobody waits for it
        yield* Scope.close(line.scope, Exit.void)
      }
      for (const key of keys) {
        if (lines.has(key)) continue
        const own = yield* Scope.fork(scope)
        const redis = yield* Effect.provideService(connect(where, "blocking"), Scope.Scope, own)
        lines.set(key, { redis, scope: own, spent: false })
      }
      return () => {
        const change = Promise.withResolvers<void>()
        waits.add(change.resolve)
        const rings = [...lines].map(([key, line]) => ring(key, line))
        return Promise.race([change.promise, ...rings]).finally(() => waits.delete(change.resolve))
      }
    }, Effect.uninterruptible),
    /** The lists are others now: whoever waits must ask again. */
    changed: () => {
      for (const wake of waits) wake()
    }
  }
})
