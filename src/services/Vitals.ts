import { Context, type Effect, Latch, Layer } from "effect"
import type { Revocable } from "./Fleet.ts"

/** A message in this worker's hands, as Celery's remote control shows it. */
export interface Request {
  readonly id: string
  /** The name to show: the message's `shadow` when it has one. */
  readonly name: string
  readonly type: string
  readonly args: ReadonlyArray<unknown>
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Python's repr of both, as the sender wrote it. */
  readonly argsrepr: string
  readonly kwargsrepr: string
  readonly queue: string
  readonly priority: number
  readonly redelivered: boolean
  readonly stamps: Readonly<Record<string, unknown>>
  /** Unix seconds; null while it waits for a slot. */
  startedAt: number | null
  /** Ends the running task as revoked; `false` when it is not running. */
  terminate: (signal: string) => Effect.Effect<boolean>
}

/** At most one task of a kind per `interval`; `next` is when the next turn may be taken. Milliseconds. */
export interface RateLimit {
  readonly interval: number
  next: number
  /** Tasks that have taken their turn under a rate limit and have not started, and when they last came. */
  readonly turns: Map<string, number>
  /**
   * Tasks parked for their turn, in the order in which they first came: when each comes again, and under which tag it is parked.
   */
  readonly waiting: Map<string, { readonly due: number; readonly tag: string }>
}

export const rateLimit = (interval: number, waiting: RateLimit["waiting"] = new Map()): RateLimit => ({
  interval,
  next: 0,
  turns: new Map(),
  waiting: new Map(waiting)
})

/** Something that tasks of one kind wait for, parked, while this worker goes on with others. */
export interface Obstacle {
  readonly why: string
  /** Whether a person has to act. */
  readonly serious: boolean
  /** When it is tried again (Unix milliseconds). */
  readonly until: number
  /** Tasks that this worker has parked since it was last tried. */
  parked: number
}

/** A call to Redis that is repeated until it goes well. */
export interface Insisting {
  readonly what: string
  readonly store: "results" | "queue"
  /** When it first failed (Unix milliseconds). */
  readonly since: number
  why: string
}

/** What this worker knows of itself. Its actors write it; health, metrics, the heartbeat and remote control read it. */
export class Vitals extends Context.Service<
  Vitals,
  {
    /** Tasks ended since the start, and how many runs started, by name. */
    processed: number
    readonly totals: Map<string, number>
    /** Messages that this worker holds, by task id: running, or waiting for a slot. */
    readonly requests: Map<string, Request>
    /** Which dependency has not answered since the start, or is known to be wrong; "" once all that a task needs has answered. */
    notReady: string
    /** Dependencies that have stopped answering since the start: since when (Unix milliseconds), and why. */
    readonly silent: Map<string, { readonly since: number; readonly why: string }>
    /** Why nothing is being taken; "" while the worker consumes. */
    paused: string
    /** Unix milliseconds of the last claim the broker answered, on the connection tasks are taken by. */
    lastLook: number
    /** Unix milliseconds of the last renewal of the lease. */
    lastBeat: number
    /** Why the lease was not renewed when it was last tried; "" when it was. */
    leaseTrouble: string
    /** Tasks that it can run at once. */
    slots: number
    /** All slots are taken, so there is no reason to look. */
    full: boolean
    /** It was told to stop, so it looks no more. */
    stopping: boolean
    /** Task ids, and stamps, not to be run, and until when that is remembered (Unix milliseconds). */
    readonly revoked: Readonly<Record<Revocable, Map<string, number>>>
    /** By the name of what is closed: an endpoint of fal, or `model_library`. */
    readonly obstacles: Map<string, Obstacle>
    /** Tasks in a row that met an obstacle since one last began, and when the first of them did (Unix milliseconds). */
    readonly barren: { tasks: number; since: number }
    readonly insisting: Set<Insisting>
    /** Why the journal could not be read when a task last asked it, and since when (Unix milliseconds). */
    journalAway: { readonly why: string; readonly since: number } | undefined
    /** Whether a picture could be saved, as far as saves and rehearsals have shown. Times in Unix milliseconds. */
    readonly library: {
      /** Why it could not; "" when it could. */
      closed: string
      since: number
      /** When the next rehearsal is made, and the pause before it. */
      next: number
      pause: number
      /** When one last could be saved. */
      provenAt: number
      /** Pictures refused for good since one was saved. */
      readonly refused: Set<string>
    }
    /** When a line of the log that an outage repeats was last written (Unix milliseconds), by what it tells. */
    readonly logged: Map<string, number>
    /** Open while there is an obstacle, or a picture could not be saved. */
    readonly noticed: Latch.Latch
    readonly rateLimits: Map<string, RateLimit>
    /** Limits of a kind of task that replace the settings, in seconds; null leaves the setting. */
    readonly timeLimits: Map<string, { readonly soft: number | null; readonly hard: number | null }>
  }
>()("model-generator/services/Vitals") {
  static readonly layer = Layer.sync(Vitals, () => ({
    processed: 0,
    totals: new Map(),
    requests: new Map(),
    notReady: "it has not asked yet",
    silent: new Map(),
    paused: "",
    lastLook: 0,
    lastBeat: 0,
    leaseTrouble: "",
    slots: 0,
    full: false,
    stopping: false,
    revoked: { ids: new Map(), stamps: new Map() },
    obstacles: new Map(),
    insisting: new Set<Insisting>(),
    journalAway: undefined,
    library: { closed: "", since: 0, next: 0, pause: 0, provenAt: Number.NEGATIVE_INFINITY, refused: new Set<string>() },
    logged: new Map(),
    noticed: Latch.makeUnsafe(false),
    barren: { tasks: 0, since: 0 },
    rateLimits: new Map(),
    timeLimits: new Map()
  }))
}

/** Ids of the tasks that run now. */
export const running = (vitals: Vitals["Service"]) =>
  [...vitals.requests.values()].filter((request) => request.startedAt !== null).map((request) => request.id)

/** An outage that goes on is told once a minute, or its lines would push all others out of the log. */
const SELDOM = 60_000
/** Whether something that an outage repeats, such as a failed connection, is to be logged this time. */
export const isNews = ({ logged }: Vitals["Service"], what: string, now: number): boolean => {
  const last = logged.get(what)
  if (last !== undefined && now - last < SELDOM) return false
  logged.set(what, now)
  return true
}
