import { Clock, Deferred, Effect, type Latch, Option, Result, Schema } from "effect"
import { Lease } from "../../services/Lease.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as Settings from "../../services/Settings.ts"
import { inUrl } from "../../services/settings/unquote.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { running, Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { explain } from "../explain.ts"
import type { Self } from "../supervision/Supervisor.ts"
import { VERSION } from "../version.ts"
import { pausedBy } from "./obstacles.ts"

/** Two workers under one name would rob each other's results; the second one must not start. */
export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", { name: Schema.String }) {
  override get message() {
    return `another worker called ${this.name} is alive on this broker: give one of them another WORKER_NAME`
  }
}

const BEAT = "5 seconds"
/** So many tasks in hand are named in a beat. */
const NAMED = 8
const named = (ids: ReadonlyArray<string>) =>
  ids.length <= NAMED ? ids.join(", ") : `${ids.slice(0, NAMED).join(", ")} and ${ids.length - NAMED} more`
/** Longer than a lease lasts, so that a predecessor's has surely run out (milliseconds). */
const NAME_PATIENCE = 40_000

/** Keeps the lease on what this worker holds, so that the others leave it alone. */
export const leaseKeeper = (leased: Latch.Latch, nameTaken: Deferred.Deferred<never, NameTaken>) => (self: Self) =>
  Effect.gen(function* () {
    const lease = yield* Lease
    const queue = yield* TaskQueue
    const me = yield* WorkerIdentity
    const vitals = yield* Vitals
    const metrics = yield* Metrics
    const settings = yield* Settings.of("METRICS_HOST", "METRICS_PORT")
    let refusedSince: number | undefined
    while (true) {
      const paused = pausedBy(vitals, yield* Clock.currentTimeMillis)
      const ours = yield* Effect.result(
        lease.beat({
          name: me.name,
          boot: me.boot,
          host: me.host,
          pid: me.pid,
          machine: me.machine,
          version: VERSION,
          queues: yield* queue.queues,
          startedAt: me.startedAt,
          metrics: `${inUrl(settings.METRICS_HOST)}:${settings.METRICS_PORT}`,
          processed: vitals.processed,
          consuming: paused === "" && vitals.notReady === "",
          doing:
            vitals.notReady !== ""
              ? `not ready: ${vitals.notReady}`
              : paused === ""
                ? named(running(vitals))
                : `paused: ${paused}`
        })
      )
      const now = yield* Clock.currentTimeMillis
      if (Result.isFailure(ours)) {
        vitals.leaseTrouble = explain(ours.failure)
        yield* self.doing("the broker does not answer")
      } else if (ours.success) {
        refusedSince = undefined
        vitals.lastBeat = now
        vitals.leaseTrouble = ""
        yield* metrics.set("last_beat_timestamp_seconds", {}, now / 1000)
        yield* leased.open
        yield* self.doing("lease held")
      } else {
        refusedSince ??= now
        const taken = new NameTaken({ name: me.name })
        vitals.leaseTrouble = taken.message
        yield* Effect.logWarning(`${taken.message}; waiting for its lease to run out`)
        yield* self.doing("waiting for a namesake's lease to run out")
        if (now - refusedSince > NAME_PATIENCE) yield* Deferred.fail(nameTaken, taken)
      }
      yield* Effect.sleep(refusedSince === undefined && Result.isSuccess(ours) ? BEAT : "1 second")
    }
  })

/**
 * A pass is made at least this often, whatever is seen (milliseconds): a message that a stock worker does not give back has to go back
 * after VISIBILITY_TIMEOUT, which nothing else shows.
 */
const AT_LEAST = 30_000

/** Puts messages back on their queues when their time comes or their worker is gone; a look each second says whether there are any. */
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
        Effect.tapError((error) => (failing ? Effect.void : Effect.logWarning("no message can be put back on its queue", error))),
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
        yield* Effect.logError(`${buried} of them are dead letters: a crash cannot be counted in them`)
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
