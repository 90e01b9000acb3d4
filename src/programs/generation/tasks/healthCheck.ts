import { Clock, Effect, Fiber, Schema } from "effect"
import { Generator } from "../../../services/Generator.ts"
import { ModelLibrary } from "../../../services/ModelLibrary.ts"
import { QueueInspector } from "../../../services/QueueInspector.ts"
import { ResultStore } from "../../../services/ResultStore.ts"
import { Vitals } from "../../../services/Vitals.ts"
import { WorkerIdentity } from "../../../services/WorkerIdentity.ts"
import type { Task } from "../../task/Task.ts"
import { CONTRACT, VERSION } from "../../version.ts"
import * as Arguments from "./Arguments.ts"
import type * as Results from "./Results.ts"

/** A dependency that has not answered by then counts as down; the whole task takes less than a second. */
const PATIENCE = "800 millis"
/** Checks this fresh are reused, so that a flood of health checks does not become a flood on fal and the database. */
const FRESH = "1 second"

export interface Check {
  readonly ok: boolean
  readonly latency_ms: number
  readonly error?: string
}

const measure = <E extends { readonly message: string }, R>(call: Effect.Effect<void, E, R>) =>
  Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    // A late call is left running: a driver may take seconds to close a dead connection.
    const fiber = yield* Effect.forkDetach(call)
    const error = yield* Effect.timeoutOrElse(
      Effect.match(Fiber.join(fiber), {
        onSuccess: () => undefined,
        onFailure: (failure) => (failure.message === "" ? "failed" : failure.message)
      }),
      { duration: PATIENCE, orElse: () => Effect.succeed(`no answer within ${PATIENCE}`) }
    )
    fiber.interruptUnsafe()
    const latency_ms = (yield* Clock.currentTimeMillis) - before
    return error === undefined ? { ok: true, latency_ms } : { ok: false, latency_ms, error }
  })

/** The three dependencies, asked at once. */
export const makeChecks = Effect.gen(function* () {
  const inspector = yield* QueueInspector
  const results = yield* ResultStore
  const library = yield* ModelLibrary
  const generator = yield* Generator
  return yield* Effect.cachedWithTTL(
    Effect.all(
      {
        redis: measure(Effect.andThen(inspector.ping, results.ping)),
        database: measure(library.ping),
        fal: measure(generator.probe)
      },
      { concurrency: "unbounded" }
    ),
    FRESH
  )
})

/** Without Redis nothing works; without the others, tasks wait. */
export const verdict = (checks: { readonly redis: Check; readonly database: Check; readonly fal: Check }) =>
  !checks.redis.ok ? "unhealthy" : checks.database.ok && checks.fal.ok ? "healthy" : "degraded"

const Nothing = Schema.Struct({})

/** `health_check`, with the dependencies' checks shared by all calls of a process. */
export const makeHealthCheck = Effect.gen(function* () {
  const checks = yield* makeChecks
  const me = yield* WorkerIdentity
  const vitals = yield* Vitals
  // Without the call's place in traces, which takes longer to find than all the rest of this task.
  const run = Effect.fnUntraced(function* (task: Task) {
    yield* Arguments.bind(Nothing, [], task)
    const results = yield* checks
    const value: typeof Results.Health.Type = {
      status: verdict(results),
      worker: me.name,
      version: VERSION,
      contract: CONTRACT,
      uptime_s: Math.round(((yield* Clock.currentTimeMillis) - me.startedAt) / 1000),
      processed: vitals.processed,
      checks: results
    }
    return { value, children: [] }
  })
  return { name: "health_check", run }
})
