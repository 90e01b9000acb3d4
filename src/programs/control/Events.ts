import { Clock, Effect, Queue } from "effect"
import { loadavg, type } from "node:os"
import { Fleet, type FleetError } from "../../services/Fleet.ts"
import { Metrics } from "../../services/Metrics.ts"
import * as Settings from "../../services/Settings.ts"
import { running, Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import type { TaskEvent } from "../celery/TaskEvent.ts"
import type { Self } from "../runtime/Supervisor.ts"
import { within } from "../runtime/within.ts"
import { VERSION } from "../version.ts"
import type { Lamport } from "./Lamport.ts"

/** Celery's own: as many events go into one message at most. */
const BATCH = 24
/** Task events that wait for the broker; of more than this the oldest is dropped. */
const WAITING = 10_000
/** Seconds between heartbeats, by which others know us to be alive. */
export const FREQUENCY = 2

type Fields = Readonly<Record<string, unknown>>

export interface Events {
  readonly mailbox: Queue.Queue<unknown>
  /** Tells of a task if anybody wants to know. Never waits, never fails. */
  readonly emit: (event: () => TaskEvent) => Effect.Effect<void>
  /** Tells something of this worker at once. */
  readonly tell: (type: `worker-${string}`, fields: Fields) => Effect.Effect<void, FleetError>
  readonly heartbeat: (type: "worker-online" | "worker-heartbeat" | "worker-offline") => Effect.Effect<void, FleetError>
  /** Sends a heartbeat event at once, when a monitor asks which workers there are. */
  readonly beatNow: Effect.Effect<void, FleetError>
  /** Whether task events are sent: `always` by setting, and then no message changes it; otherwise as last ordered. */
  readonly tasks: { readonly always: boolean; ordered: boolean }
  /** Task events that were dropped because the broker did not take them. */
  readonly dropped: () => number
}

export const software = { sw_ident: "model-generator", sw_ver: VERSION, sw_sys: type() }

/** The event stream of this worker: every event is stamped when it happens, whenever it is sent. */
export const make = Effect.fnUntraced(function* (lamport: Lamport) {
  const fleet = yield* Fleet
  const vitals = yield* Vitals
  const me = yield* WorkerIdentity
  const metrics = yield* Metrics
  const { WORKER_SEND_TASK_EVENTS: always } = yield* Settings.of("WORKER_SEND_TASK_EVENTS")
  const mailbox = yield* Queue.sliding<unknown>(WAITING)
  const tasks = { always, ordered: false }
  let dropped = 0

  const stamped = (kind: string, fields: Fields) =>
    Effect.map(Clock.currentTimeMillis, (now) => ({
      hostname: me.name,
      // Whole hours west of UTC.
      utcoffset: Math.floor(new Date(now).getTimezoneOffset() / 60),
      pid: me.pid,
      clock: lamport.forward(),
      ...fields,
      timestamp: now / 1000,
      type: kind
    }))
  const tell: Events["tell"] = (kind, fields) =>
    Effect.flatMap(stamped(kind, fields), (event) => fleet.publish(kind.replaceAll("-", "."), event))

  const emit = (event: () => TaskEvent) =>
    Effect.suspend(() => {
      const { type: kind, ...fields } = event()
      const offered = Effect.flatMap(stamped(kind, fields), (event) => Queue.offer(mailbox, event))
      if (Queue.sizeUnsafe(mailbox) < WAITING) return Effect.asVoid(offered)
      dropped++ // the oldest gives way
      return Effect.andThen(metrics.count("events_dropped_total", {}), offered)
    }).pipe(Effect.catchDefect((defect) => Effect.logError("a task event cannot be published", defect)))

  const events: Events = {
    mailbox,
    tasks,
    tell,
    beatNow: tell("worker-heartbeat", { freq: 5, ...software }),
    dropped: () => dropped,
    emit: (event) => (always || tasks.ordered ? emit(event) : Effect.void),
    heartbeat: (kind) =>
      tell(kind, {
        freq: FREQUENCY,
        active: running(vitals).length,
        processed: [...vitals.totals.values()].reduce((sum, count) => sum + count, 0),
        loadavg: loadavg().map((load) => Math.round(load * 100) / 100),
        ...software
      })
  }
  return events
})

/** Sends what happens to tasks, as many events in one message as have come together. An outage holds up nothing but this. */
export const courier = (events: Events) => (self: Self) => {
  let hand: ReadonlyArray<unknown> = []
  const send = Effect.gen(function* () {
    const fleet = yield* Fleet
    // Events that cannot even be written would be tried for ever.
    yield* Effect.catchDefect(fleet.publish("task.multi", hand), (defect) =>
      Effect.logError(`${hand.length} events cannot be published and are dropped`, defect)
    )
    hand = []
  })
  return Effect.gen(function* () {
    yield* self.doing("waiting for events")
    while (true) {
      if (hand.length === 0) hand = yield* Queue.takeBetween(events.mailbox, 1, BATCH)
      yield* send.pipe(
        Effect.tapError(() => self.doing(`cut off; ${events.dropped()} events dropped`)),
        Effect.catchTag("FleetError", () => Effect.sleep("1 second"))
      )
    }
  }).pipe(
    // The last tasks end after all else has stopped.
    Effect.onInterrupt(() =>
      Effect.gen(function* () {
        while (hand.length > 0 || Queue.sizeUnsafe(events.mailbox) > 0) {
          if (hand.length === 0) hand = yield* Queue.takeBetween(events.mailbox, 1, BATCH)
          yield* send
        }
      }).pipe(Effect.ignore, (rest) => within(rest, "1 second"))
    )
  )
}

/** Says that this worker lives, every two seconds; that it goes, at the beginning of a stop. */
export const heartbeat = (events: Events, leased: Effect.Effect<void>) => (self: Self) =>
  Effect.gen(function* () {
    // A second worker of the same name must not speak for the first.
    yield* leased
    yield* Effect.ignore(events.heartbeat("worker-online"))
    yield* self.doing(`every ${FREQUENCY} s`)
    return yield* Effect.gen(function* () {
      yield* Effect.sleep(`${FREQUENCY} seconds`)
      yield* Effect.ignore(events.heartbeat("worker-heartbeat"))
    }).pipe(
      Effect.forever,
      Effect.onInterrupt(() => within(Effect.ignore(events.heartbeat("worker-offline")), "1 second"))
    )
  })
