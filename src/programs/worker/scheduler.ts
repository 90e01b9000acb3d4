import { Clock, Effect, Option } from "effect"
import { Lease } from "../../services/Lease.ts"
import { Metrics } from "../../services/Metrics.ts"
import { explain } from "../explain.ts"
import type { Self } from "../runtime/Supervisor.ts"

/**
 * A pass is made at least this often, whatever is seen (milliseconds): a message that a stock worker does not give back has to go
 * back after VISIBILITY_TIMEOUT, which nothing else shows.
 */
const AT_LEAST = 30_000

/**
 * Puts messages back on their queues when their time comes or their worker is gone; a look each second says whether there are
 * any.
 */
export const scheduler = (leased: Effect.Effect<void>) => (self: Self) =>
  Effect.gen(function* () {
    const lease = yield* Lease
    const metrics = yield* Metrics
    yield* leased
    let failing = false
    let passedAt = Number.NEGATIVE_INFINITY

    /** When the next message falls due, if all that needs a pass can be seen without one. */
    const glance = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (failing || now - passedAt >= AT_LEAST) return Option.none<Option.Option<number>>()
      const { nextDue, suspicious } = yield* lease.look
      return suspicious || Option.exists(nextDue, (at) => at <= now) ? Option.none() : Option.some(nextDue)
    }).pipe(Effect.orElseSucceed(() => Option.none<Option.Option<number>>())) // the pass will say what is wrong

    const pass = Effect.gen(function* () {
      const released = yield* lease.release.pipe(
        Effect.tapError((error) =>
          failing ? Effect.void : Effect.logWarning("no message can be put back on its queue", { error: explain(error) })
        ),
        Effect.option
      )
      failing = Option.isNone(released)
      if (Option.isNone(released)) return Option.none<number>()
      const { buried, due, lost, more, nextDue } = released.value
      if (due > 0) yield* metrics.count("messages_released_total", { why: "due" }, due)
      if (lost > 0) {
        yield* metrics.count("messages_released_total", { why: "lost" }, lost)
        yield* Effect.logWarning(`put back ${lost} messages that a dead worker held`)
      }
      if (buried > 0) {
        yield* metrics.count("dead_letters_total", { reason: "crash cannot be counted" }, buried)
        yield* Effect.logError(`${buried} of them moved to the dead letters: a crash cannot be counted in them`)
      }
      const now = yield* Clock.currentTimeMillis
      passedAt = more ? Number.NEGATIVE_INFINITY : now
      return more ? Option.some(now) : nextDue // between two passes others have their turn
    })

    while (true) {
      const next = yield* Effect.flatMap(glance, Option.match({ onNone: () => pass, onSome: Effect.succeed }))
      const now = yield* Clock.currentTimeMillis
      yield* self.doing(
        Option.match(next, {
          onNone: () => (failing ? "no message can be put back" : "nothing scheduled"),
          onSome: (at) => `next due in ${Math.max(0, Math.round((at - now) / 1000))} s`
        })
      )
      yield* Effect.sleep(Math.min(1000, Math.max(10, Option.getOrElse(next, () => Number.POSITIVE_INFINITY) - now)))
    }
  })
