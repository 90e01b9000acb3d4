import { Clock, Effect } from "effect"
import type { Redis } from "ioredis"
import { counting } from "../counting.ts"

/** How long a write waits for a replica (milliseconds). */
const PATIENCE = 500
/** How long the number of replicas, and that none answers in time, is remembered (milliseconds). */
const MEMORY = 10_000

/**
 * Waits until a replica has the last write of a connection, so that a failover does not lose it. Without a replica, or if the
 * server does not tell, there is no wait; if no replica confirms in time, that is counted and the work goes on. A wait delays
 * every command behind it on its connection, so where there is a replica such writes have a connection of their own.
 */
export const replicas = Effect.fnUntraced(function* (shared: Redis, own: Effect.Effect<Redis>) {
  const count = yield* counting
  let connected = 0
  let askedAt = Number.NEGATIVE_INFINITY
  let slowSince = Number.NEGATIVE_INFINITY

  const haveThem = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (now - askedAt >= MEMORY) {
      const said = yield* Effect.promise(() => shared.info("replication").catch(() => ""))
      connected = Number(/^connected_slaves:(\d+)/m.exec(said)?.[1] ?? 0)
      askedAt = now
    }
    return connected > 0
  })

  const writer = Effect.flatMap(haveThem, (some) => (some ? own : Effect.succeed(shared)))
  const wait = Effect.gen(function* () {
    if (!(yield* haveThem)) return
    const redis = yield* own
    const before = yield* Clock.currentTimeMillis
    // A slow replica must not delay every purchase.
    const confirmed = before - slowSince < MEMORY ? 0 : yield* Effect.promise(() => redis.wait(1, PATIENCE).catch(() => 0))
    if (confirmed > 0) return
    if (before - slowSince >= MEMORY) slowSince = before
    yield* count("journal_unreplicated_total", {})
  })
  return {
    /** The connection for a write that a replica must have. */
    writer,
    /** Until a replica has what was written last over that connection. */
    wait
  }
})
