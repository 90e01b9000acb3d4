import { Cause, Deferred, Exit, type Fiber, Latch } from "effect"

export const LINKS = ["redis", "postgres", "fal"] as const
export type Link = (typeof LINKS)[number]

/** One worker process. */
export class Process {
  alive = true
  /** `refused`: fails at once. `silent`: nothing comes back until the driver gives up. */
  readonly links: Record<Link, "up" | "refused" | "silent"> = { redis: "up", postgres: "up", fal: "up" }
  /** Closed while the process stands still. */
  readonly warm = Latch.makeUnsafe(true)
  readonly hurry = Deferred.makeUnsafe<void>()
  stoppingSince: number | undefined
  /** When it is ended wherever it stands. */
  deadline = Number.POSITIVE_INFINITY
  /** When something last came between it and its lease. */
  troubledAt = Number.NEGATIVE_INFINITY
  /** Redis may have forgotten that it lives, or that one before it has ended; or another has taken its name. */
  wasForgotten = false
  /** Between which times something kept it from what; the last may go on. */
  readonly hindrances: Array<{ readonly what: Link | "everything"; readonly from: number; to: number }> = []
  /** Until when its lease lasts, by what the broker has heard. */
  leasedUntil = Number.NEGATIVE_INFINITY
  /** When Redis last heard a beat of its, and since when they came on time. */
  beatAt = Number.NEGATIVE_INFINITY
  steadySince = Number.NEGATIVE_INFINITY
  /** When it last asked for its lease and had an answer or none; undefined while it waits for one. */
  askedAt: number | undefined
  /** Whether it runs the task now. */
  hasInHand: (id: string) => boolean = () => false
  /** Whether it has any task in hand. */
  isBusy: () => boolean = () => false
  /** How far its clock is ahead (milliseconds). */
  ahead = 0
  fiber: Fiber.Fiber<unknown, unknown> | undefined

  readonly name: string
  readonly boot: string
  /** Its machine and host. */
  readonly place: string
  /** How many messages it may hold. */
  readonly room: number

  constructor(of: Pick<Process, "name" | "boot" | "place" | "room"> & { readonly startedAt: number }) {
    this.name = of.name
    this.boot = of.boot
    this.place = of.place
    this.room = of.room
    this.askedAt = of.startedAt
  }

  get running() {
    return this.alive && this.fiber?.pollUnsafe() === undefined
  }

  get awake() {
    return this.running && this.warm.isOpen()
  }

  /** Ended by itself, because it could not go on. */
  get gaveUp() {
    const exit = this.fiber?.pollUnsafe()
    if (!this.alive || this.stoppingSince !== undefined || exit === undefined || Exit.isSuccess(exit)) return undefined
    return Cause.squash(exit.cause)
  }

  /** Nothing ever came between it and Redis. */
  get untroubled() {
    return this.troubledAt === Number.NEGATIVE_INFINITY
  }
}
