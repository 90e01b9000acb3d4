import { Deferred, Effect, Option, Scope } from "effect"
import { QueueError } from "../../services/QueueError.ts"
import type { Connection } from "./Connection.ts"
import { connect } from "./connect.ts"
import type { Where } from "./where.ts"

/** Silent lists are read again after this time, as the server's notice may have been lost (milliseconds). */
const AGAIN = 2000
/** How often lists are read when the server cannot give notice of a change (milliseconds). */
const POLL = 100
/** A wait ends after this number of reads (20 s), so that the waiting consumer is seen to live. */
const LOOKS = 10

/** The command itself is refused, to this user or by what stands before the server. */
const isRefusal = (error: unknown): error is Error => error instanceof Error && /^(NOPERM|ERR)\b/.test(error.message)

/**
 * Finds out whether one of the lists has a message. Redis tracks a key that was read and sends `invalidate` once when it changes.
 * The driver reads that and tells nobody; but on this connection nothing else comes that was not asked for.
 */
const watching = (redis: Connection, changed: () => void) => {
  let asking = 0
  let asked: unknown
  let refused: Error | undefined
  redis.onHeard = (chunk) => {
    if (redis.status === "ready" && (asking === 0 || chunk.includes("invalidate"))) changed()
  }
  redis.on("ready", changed) // what came meanwhile was not said
  const track = () =>
    redis.client("TRACKING", "ON").then(
      () => (refused = undefined),
      (error: unknown) => {
        if (!isRefusal(error)) throw error
        refused = error
      }
    )
  return async (keys: ReadonlyArray<string>) => {
    asking++
    try {
      if (asked !== redis.stream && redis.status === "ready") {
        asked = redis.stream
        await track()
      }
      return { some: keys.length > 0 && (await redis.exists(...keys)) > 0, refused }
    } finally {
      asking--
    }
  }
}

/**
 * Waits for a change of any of some lists, on one connection, without taking anything. It is opened by the first wait, because a
 * program that only sends has no use for it.
 */
export const messageWaiter = Effect.fnUntraced(function* (where: Where) {
  const scope = yield* Effect.scope
  const waits = new Set<Deferred.Deferred<void>>()
  const wake = () => {
    for (const wait of waits) Deferred.doneUnsafe(wait, Effect.void)
  }
  const watch = yield* Effect.cached(
    Effect.map(Effect.provideService(connect(where, "commands"), Scope.Scope, scope), (redis) => watching(redis, wake))
  )
  let said = false
  const sayOnce = Effect.fnUntraced(function* (refused: Error) {
    if (said) return
    said = true
    yield* Effect.logWarning(`Redis does not notify of new messages, so it is polled every ${POLL} ms: ${refused.message}`)
  })

  const until = Effect.fnUntraced(function* (woken: Deferred.Deferred<void>, keys: ReadonlyArray<string>) {
    const look = yield* watch
    for (let looks = 0; looks < LOOKS; looks++) {
      const { refused, some } = yield* Effect.tryPromise({
        try: () => look(keys),
        catch: (cause) => new QueueError({ operation: "awaitMessage", cause })
      })
      if (some) return
      if (refused !== undefined) yield* sayOnce(refused)
      const wait = Effect.timeoutOption(Deferred.await(woken), refused === undefined ? AGAIN : POLL)
      if (Option.isSome(yield* wait)) return
    }
  })
  return {
    /** Until one of the lists may have something, or for some seconds. */
    wait: (keys: ReadonlyArray<string>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const woken = Deferred.makeUnsafe<void>()
          waits.add(woken)
          return woken
        }),
        (woken) => until(woken, keys),
        (woken) => Effect.sync(() => waits.delete(woken))
      ),
    /** The queues have changed: the waiting consumer must ask again. */
    changed: wake
  }
})
