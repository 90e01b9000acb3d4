import { Deferred, Effect, Latch, Option, Queue, Semaphore } from "effect"
import { Lease } from "../../services/Lease.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as Settings from "../../services/Settings.ts"
import { patience, Stop } from "../../services/Stop.ts"
import { Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as Events from "../control/Events.ts"
import { makeGossip } from "../control/gossip.ts"
import * as Lamport from "../control/Lamport.ts"
import * as Autoscaler from "../runtime/Autoscaler.ts"
import * as Pool from "../runtime/Pool.ts"
import { makeRegistry } from "../registry.ts"
import { makeControlledWorker } from "../control/makeControlledWorker.ts"
import { remoteControl } from "../control/remoteControl.ts"
import * as Supervisor from "../runtime/Supervisor.ts"
import * as Tree from "../runtime/Tree.ts"
import type { Program, PutBack } from "../task/Task.ts"
import { VERSION } from "../version.ts"
import type { Intake } from "../task/job.ts"
import { bookkeeper } from "./bookkeeper.ts"
import { consumer } from "./consumer.ts"
import { httpServer } from "./http.ts"
import { makeJobs } from "../task/job.ts"
import { makeMemoryLimit } from "./memory.ts"
import { readiness } from "./readiness.ts"
import { leaseKeeper, type NameTaken } from "./leaseKeeper.ts"
import { scheduler } from "./scheduler.ts"
import { watch } from "./watch.ts"

/**
 * A worker that runs these programs: a supervision tree, started from the top of the list and stopped from its end, so that a
 * stop first says that this worker goes, hears no more orders and takes nothing more, then lets the pool finish or hand back,
 * tells how those tasks ended, and only then gives up the lease.
 */
export const workerOf = Effect.fnUntraced(function* <R>(registry: ReadonlyMap<string, Program<R>>) {
  const settings = yield* Settings.of(
    "WORKER_CONCURRENCY",
    "WORKER_AUTOSCALE",
    "WORKER_PREFETCH_MULTIPLIER",
    "WORKER_MAX_TASKS_PER_CHILD",
    "WORKER_QUEUES",
    "FAL_MAX_CONCURRENT",
    "SHUTDOWN_GRACE",
    "TIMEZONE"
  )
  const lease = yield* Lease
  const me = yield* WorkerIdentity
  const metrics = yield* Metrics
  const { begin, hurry, whenAsked } = yield* Stop
  const vitals = yield* Vitals

  const leased = yield* Latch.make(false)
  const informed = yield* Latch.make(false)
  const ready = yield* Latch.make(false)
  const nameTaken = yield* Deferred.make<never, NameTaken>()
  const stopped = yield* Deferred.make<void>()
  const pauses = yield* Queue.sliding<PutBack>(1)
  const lamport = Lamport.make()
  const events = yield* Events.make(lamport)
  const jobs = yield* Queue.unbounded<Pool.Job<R>>()
  const size = { max: settings.WORKER_CONCURRENCY, min: settings.WORKER_CONCURRENCY }
  const range = Option.getOrElse(settings.WORKER_AUTOSCALE, () => size)
  const slots = yield* Semaphore.make(range.max * settings.WORKER_PREFETCH_MULTIPLIER)
  const memory = yield* makeMemoryLimit
  const intake: Intake = { isOpen: false, foundNothing: false }
  const pause = (reason: PutBack) =>
    Effect.suspend(() => {
      intake.isOpen = false // no other slot takes one more
      return Effect.asVoid(Queue.offer(pauses, reason))
    })
  // With no more messages than children none of them waits. One that does takes its turn in the mailbox.
  const waits = settings.WORKER_PREFETCH_MULTIPLIER > 1 || Option.isSome(settings.WORKER_AUTOSCALE)
  const hooks = { pause, emit: events.emit }
  const { held, idle, jobOf } = yield* makeJobs({ programs: registry, slots, jobs, intake, waits, hooks, mustEnd: memory.passed })

  const told = (reason: string) => Effect.ignore(events.tell(reason === "" ? "worker-resumed" : "worker-paused", { reason }))
  const { actor, supervisor } = Supervisor
  const root = (): Tree.Node => tree.node
  const pool = Pool.pool(
    jobs,
    {
      size: range.min,
      quota: settings.WORKER_MAX_TASKS_PER_CHILD,
      grace: patience(settings.SHUTDOWN_GRACE),
      hurry
    },
    yield* Queue.unbounded<Supervisor.Child<R | Metrics>>()
  )
  const tellSlots = Effect.suspend(() => {
    vitals.slots = pool.size()
    return metrics.set("slots", {}, vitals.slots)
  })
  const resize = Effect.fnUntraced(function* (by: number) {
    yield* by > 0 ? pool.grow(by) : pool.shrink(-by)
    yield* tellSlots
    yield* Effect.logInfo("the pool changes its size", { children: pool.size() })
  })
  const admit = (children: number) => Semaphore.resize(slots, children * settings.WORKER_PREFETCH_MULTIPLIER)
  const scaler = Option.isSome(settings.WORKER_AUTOSCALE)
    ? yield* Autoscaler.make({ range, size: pool.size, held, resize, admit })
    : undefined
  const desk = yield* makeControlledWorker({
    events,
    lamport,
    gossip: yield* makeGossip(events, lamport),
    known: registry,
    autoscaler: scaler,
    pool: { ...pool, resize: (by) => Effect.flatMap(resize(by), () => admit(pool.size())) },
    stop: Effect.asVoid(Deferred.succeed(stopped, undefined))
  })
  const announce = Effect.logInfo(`${me.name} ready`, {
    queues: settings.WORKER_QUEUES.join(","),
    concurrency: range.max === range.min ? range.max : `${range.min} to ${range.max}`,
    version: VERSION
  })
  const tree = supervisor("worker", { intensity: 5, period: "1 minute" }, [
    actor("http", { stopWithin: "2 seconds" }, httpServer(root)),
    actor("lease-keeper", {}, leaseKeeper(leased, nameTaken)),
    actor("scheduler", {}, scheduler(leased.await)),
    actor("bookkeeper", {}, bookkeeper(leased.await)),
    actor("readiness", {}, readiness(ready, Effect.andThen(leased.await, announce))),
    actor("events", { mailbox: events.mailbox }, Events.courier(events)),
    pool,
    actor("watch", {}, watch(told)),
    actor(
      "consumer",
      { mailbox: pauses },
      consumer({
        slots,
        jobs,
        jobOf: (delivery) => (scaler === undefined ? jobOf(delivery) : Effect.tap(jobOf(delivery), () => scaler.nudge)),
        intake,
        idle,
        pauses,
        told,
        leased: Effect.all([leased.await, informed.await, ready.await], { discard: true })
      })
    ),
    ...(scaler === undefined ? [] : [actor("autoscaler", { mailbox: scaler.mailbox }, Autoscaler.autoscaler(scaler))]),
    actor("remote-control", {}, remoteControl(desk, leased.await, informed)),
    actor("heartbeat", {}, Events.heartbeat(events, leased.await))
  ])

  yield* metrics.set("build_info", { version: VERSION, node: process.version }, 1)
  yield* tellSlots
  yield* metrics.set("fal_max_concurrent", {}, settings.FAL_MAX_CONCURRENT)
  const sayAll = Effect.suspend(() => Effect.logInfo(`what ${me.name} is doing:\n${Tree.draw(Tree.snapshot(tree.node))}`))
  // However it ends, its stop begins with the last wait here.
  const asked = Effect.ensuring(
    Deferred.await(stopped),
    Effect.suspend(() => {
      vitals.stopping = true
      return begin
    })
  )
  return yield* Effect.raceAllFirst([
    tree.run,
    Deferred.await(nameTaken),
    Deferred.await(memory.exceeded),
    whenAsked(sayAll),
    asked
  ]).pipe(Effect.ensuring(Effect.andThen(Pool.drain(jobs), Effect.ignore(lease.resign))))
})

/** The worker with our own tasks. */
export const worker = Effect.flatMap(makeRegistry, workerOf)
