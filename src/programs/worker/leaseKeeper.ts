import { Clock, Deferred, Effect, type Latch, Result, Schema } from "effect"
import { Lease } from "../../services/Lease.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as Settings from "../../services/Settings.ts"
import { inUrl } from "../../services/settings/unquote.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { running, Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { explain } from "../explain.ts"
import type { Self } from "../runtime/Supervisor.ts"
import { VERSION } from "../version.ts"
import { pausedBy } from "../task/obstacles.ts"

/** Two workers under one name would rob each other's results; the second one must not start. */
export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", { name: Schema.String }) {
  override get message() {
    return `another worker called ${this.name} is alive on this broker: give one of them another WORKER_NAME`
  }
}

const BEAT = "5 seconds"
/** The most running tasks that a heartbeat names. */
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
          slots: vitals.slots,
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
        yield* self.doing("another worker has this name: waiting for its lease to expire")
        if (now - refusedSince > NAME_PATIENCE) yield* Deferred.fail(nameTaken, taken)
      }
      yield* Effect.sleep(refusedSince === undefined && Result.isSuccess(ours) ? BEAT : "1 second")
    }
  })
