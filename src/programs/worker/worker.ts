import { Deferred, Effect, Latch, Option, Queue, Schedule, Semaphore } from "effect"
import { Journal } from "../../services/Journal.ts"
import { Lease } from "../../services/Lease.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as Settings from "../../services/Settings.ts"
import { patience, Stop } from "../../services/Stop.ts"
import { type Claimed, TaskQueue } from "../../services/TaskQueue.ts"
import { Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as Events from "../events/Events.ts"
import { makeGossip } from "../events/gossip.ts"
import * as Lamport from "../events/Lamport.ts"
import * as Autoscaler from "../pool/Autoscaler.ts"
import * as Pool from "../pool/Pool.ts"
import { makeRegistry } from "../registry.ts"
import { makeDesk } from "../remote/makeDesk.ts"
import { remoteControl } from "../remote/remoteControl.ts"
import * as Supervisor from "../supervision/Supervisor.ts"
import * as Tree from "../supervision/Tree.ts"
import * as Carried from "../generation/Carried.ts"
import { nothingKnown, type Program, type PutBack } from "../Task.ts"
import { VERSION } from "../version.ts"
import { consumer } from "./consumer.ts"
import { httpServer } from "./http.ts"
import { makeMemoryLimit } from "./memory.ts"
import { makePerform } from "./perform.ts"
import { readiness } from "./readiness.ts"
import { reserve } from "./reserve.ts"
import { leaseKeeper, type NameTaken, scheduler } from "./upkeep.ts"
import { watch } from "./watch.ts"

/** A broker that is away for a moment. Handed back, a message is next in line; left to its lease it counts as crashed. */
const whileHandingBack = Schedule.max([Schedule.spaced("250 millis"), Schedule.recurs(20)])

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
  const queue = yield* TaskQueue
  const lease = yield* Lease
  const journal = yield* Journal
  const me = yield* WorkerIdentity
  const metrics = yield* Metrics
  const { begin, hurry, whenAsked } = yield* Stop

  const leased = yield* Latch.make(false)
  const informed = yield* Latch.make(false)
  const ready = yield* Latch.make(false)
  const nameTaken = yield* Deferred.make<never, NameTaken>()
  const stopped = yield* Deferred.make<void>()
  const pauses = yield* Queue.sliding<PutBack>(1)
  const lamport = Lamport.make()
  const events = yield* Events.make(lamport)
  const perform = yield* makePerform(registry, (reason) => Effect.asVoid(Queue.offer(pauses, reason)), events.emit)
  const jobs = yield* Queue.unbounded<Pool.Job<R>>()
  const size = { max: settings.WORKER_CONCURRENCY, min: settings.WORKER_CONCURRENCY }
  const range = Option.getOrElse(settings.WORKER_AUTOSCALE, () => size)
  const slots = yield* Semaphore.make(range.max * settings.WORKER_PREFETCH_MULTIPLIER)
  const vitals = yield* Vitals
  const memory = yield* makeMemoryLimit
  /** Not counted by task id: a message may have come twice, or have none that can be read. */
  const inHand = new Set<Claimed>()
  const idle = Latch.makeUnsafe(true)
  const jobOf = Effect.fnUntraced(function* (delivery: Claimed): Effect.fn.Return<Pool.Job<R>> {
    // With no more messages than children none of them waits.
    const waits = settings.WORKER_PREFETCH_MULTIPLIER > 1 || scaler !== undefined
    const reserved = waits ? yield* reserve(vitals, delivery, settings.TIMEZONE) : { release: Effect.void }
    if (scaler !== undefined) yield* scaler.nudge
    inHand.add(delivery)
    idle.closeUnsafe()
    const letGo = Effect.andThen(
      reserved.release,
      Effect.sync(() => {
        inHand.delete(delivery)
        if (inHand.size === 0) idle.openUnsafe()
      })
    )
    let free = true
    const knowledge = nothingKnown()
    const run = Effect.gen(function* () {
      const outcome = yield* perform(delivery, knowledge)
      if (!(yield* memory.passed)) return outcome
      free = false // the stop that begins now must not be overtaken by another claim
      return "memory"
    })
    return {
      name: `message ${delivery.tag}`,
      run: run.pipe(Effect.ensuring(letGo), Effect.ensuring(Effect.suspend(() => (free ? slots.release(1) : Effect.void)))),
      handBack: (options) =>
        Effect.suspend(() => {
          const given = { ...options, generation: Carried.of(knowledge.generation) }
          // Our hold on the message may have been forgotten with the entry, so that the message cannot tell.
          const { generation, id } = knowledge
          const remind =
            id === undefined || generation === undefined || generation === null || generation._tag === "Intended"
              ? Effect.void
              : Effect.ignore(Effect.timeout(journal.advance(id, generation), "1 second"))
          return Effect.andThen(
            Effect.andThen(remind, letGo),
            Effect.ignore(Effect.retry(queue.handBack(delivery, given), whileHandingBack))
          )
        })
    }
  })

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
  const resize = Effect.fnUntraced(function* (by: number) {
    yield* by > 0 ? pool.grow(by) : pool.shrink(-by)
    yield* metrics.set("slots", {}, pool.size())
    yield* Effect.logInfo("the pool changes its size", { children: pool.size() })
  })
  const admit = (children: number) => Semaphore.resize(slots, children * settings.WORKER_PREFETCH_MULTIPLIER)
  const held = () => inHand.size
  const scaler = Option.isSome(settings.WORKER_AUTOSCALE)
    ? yield* Autoscaler.make({ range, size: pool.size, held, resize, admit })
    : undefined
  const desk = yield* makeDesk({
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
        jobOf,
        idle: idle.await,
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
  yield* metrics.set("slots", {}, range.min)
  yield* metrics.set("fal_max_concurrent", {}, settings.FAL_MAX_CONCURRENT)
  const sayAll = Effect.suspend(() => Effect.logInfo(`what ${me.name} is doing:\n${Tree.draw(Tree.snapshot(tree.node))}`))
  // However it ends, its stop begins with the last wait here.
  const asked = Effect.ensuring(Deferred.await(stopped), begin)
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
