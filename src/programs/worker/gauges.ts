import { Clock, Effect, Option } from "effect"
import { Endpoints } from "../../services/Endpoints.ts"
import { Journal, states } from "../../services/Journal.ts"
import { Metrics } from "../../services/Metrics.ts"
import { PRIORITIES, QueueInspector } from "../../services/QueueInspector.ts"
import * as Settings from "../../services/Settings.ts"
import { running, Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { isDown } from "../generation/gate.ts"
import { pausedBy } from "./obstacles.ts"

/** A worker that proves nothing for this long is not healthy (milliseconds). */
const SILENCE = 30_000

/** Why this worker cannot be said to consume; "" when it does. */
export const trouble = (vitals: Vitals["Service"], startedAt: number, now: number): string => {
  const paused = pausedBy(vitals, now)
  if (paused !== "") return `paused: ${paused}`
  // A worker that a wrong password keeps out must not pass for started, or a rolling restart would replace the next one too.
  if (vitals.lastBeat === 0)
    return vitals.leaseTrouble === "" ? "starting: waiting for the broker's first answer" : vitals.leaseTrouble
  if (now - vitals.lastBeat > SILENCE) {
    const why = vitals.leaseTrouble === "" ? "the next beat is still on its way" : vitals.leaseTrouble
    return `no lease for ${Math.round((now - vitals.lastBeat) / 1000)} s: ${why}`
  }
  if (vitals.notReady !== "") return `not ready: ${vitals.notReady}`
  for (const [need, { since, why }] of vitals.silent)
    if (now - since > SILENCE) return `the ${need} has not answered for ${Math.round((now - since) / 1000)} s: ${why}`
  if (!vitals.full && now - Math.max(vitals.lastLook, startedAt) > SILENCE)
    return "has not looked at the queue for 30 s though a slot is free"
  return ""
}

/** A scrape waits no longer than this for the broker. */
const PATIENCE = "1 second"

/** What the broker knows: the same for every worker that asks, so a rule takes the maximum. */
const fromBroker = Effect.gen(function* () {
  const inspector = yield* QueueInspector
  const metrics = yield* Metrics
  const me = yield* WorkerIdentity
  const journal = yield* Journal
  const { clockAheadSeconds, queues, scheduled, unacknowledged, workers } = yield* inspector.status
  for (const { dead, oldestSeconds, queue: name, ready } of queues) {
    for (const priority of PRIORITIES) yield* metrics.set("queue_messages", { queue: name, priority }, ready[priority])
    yield* metrics.set(
      "queue_oldest_seconds",
      { queue: name },
      Option.getOrElse(oldestSeconds, () => 0)
    )
    yield* metrics.set("queue_dead_letters", { queue: name }, dead)
  }
  yield* metrics.set("messages_scheduled", {}, scheduled)
  yield* metrics.set("messages_unacknowledged", {}, unacknowledged)
  yield* metrics.set("messages_held", {}, workers.find(({ boot }) => boot === me.boot)?.holds ?? 0)
  const generations = yield* journal.counts
  for (const state of states) yield* metrics.set("journal_generations", { state }, generations[state])
  yield* metrics.set("clock_ahead_seconds", {}, clockAheadSeconds)
  const alive = workers.filter((worker) => worker.alive).length
  yield* metrics.set("leases", { state: "running" }, alive)
  yield* metrics.set("leases", { state: "run out" }, workers.length - alive)
  yield* metrics.set("fal_in_flight", {}, yield* journal.inFlight)
  const endpoints = yield* Endpoints
  const closed = new Set((yield* endpoints.closed).map(({ endpoint }) => endpoint))
  const { FAL_EDIT_MODEL, FAL_MODEL } = yield* Settings.of("FAL_MODEL", "FAL_EDIT_MODEL").pipe(Effect.orDie)
  for (const endpoint of [FAL_MODEL, FAL_EDIT_MODEL])
    yield* metrics.set("fal_endpoint_closed", { endpoint }, closed.has(endpoint) ? 1 : 0)
  yield* metrics.set("fal_circuit_open", {}, (yield* isDown) ? 1 : 0)
})

/**
 * Brings the gauges up to date: done at each scrape, so that they cost nothing between. While the broker does not answer the
 * numbers that lie there keep their last values, and `broker_up` says so.
 */
export const refresh = Effect.gen(function* () {
  const metrics = yield* Metrics
  const vitals = yield* Vitals
  const me = yield* WorkerIdentity
  const healthy = trouble(vitals, me.startedAt, yield* Clock.currentTimeMillis) === ""
  yield* metrics.set("healthy", {}, healthy ? 1 : 0)
  yield* metrics.set("library_closed", {}, vitals.library.closed === "" ? 0 : 1)
  yield* metrics.set("slots_busy", {}, running(vitals).length)
  const asked = yield* Effect.option(fromBroker).pipe(
    Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.succeedNone })
  )
  yield* metrics.set("broker_up", {}, Option.isSome(asked) ? 1 : 0)
})
