import { Clock, Effect, Option } from "effect"
import { Budget } from "../../services/Budget.ts"
import { Endpoints } from "../../services/Endpoints.ts"
import { Journal, states } from "../../services/Journal.ts"
import { Metrics } from "../../services/Metrics.ts"
import { toUsd } from "../../services/NanoDollars.ts"
import { PRIORITIES, QueueInspector } from "../../services/QueueInspector.ts"
import { Catalogue } from "../../services/Catalogue.ts"
import { running, Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { isDown } from "../generation/purchase/submitLimits.ts"
import { trouble } from "./health.ts"

/** A scrape waits no longer than this for the broker. */
const PATIENCE = "1 second"

/** Gauges from the broker. Every worker reports the same values, so alert rules take the maximum. */
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
  yield* metrics.set("ledger_debts", {}, yield* journal.owing)
  const endpoints = yield* Endpoints
  const closed = new Set((yield* endpoints.closed).map(({ endpoint }) => endpoint))
  const catalogue = yield* Catalogue
  for (const endpoint of Object.values(catalogue.endpoints))
    yield* metrics.set("fal_endpoint_closed", { endpoint }, closed.has(endpoint) ? 1 : 0)
  yield* metrics.set("fal_circuit_open", {}, (yield* isDown) ? 1 : 0)
  const { reserved, standings } = yield* (yield* Budget).status
  yield* metrics.set("budget_reserved_dollars", {}, toUsd(reserved))
  for (const { limit, span, subject, used } of standings) {
    yield* metrics.set("budget_used_dollars", { span, subject }, toUsd(used))
    yield* metrics.set("budget_limit_dollars", { span, subject }, limit === null ? Infinity : toUsd(limit))
  }
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
