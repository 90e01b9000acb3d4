import { Clock, Effect, Latch, Queue, Schedule, type Semaphore } from "effect"
import { Journal } from "../../services/Journal.ts"
import * as Settings from "../../services/Settings.ts"
import { type Claimed, TaskQueue } from "../../services/TaskQueue.ts"
import { Vitals } from "../../services/Vitals.ts"
import * as Carried from "../generation/Carried.ts"
import type { Job } from "../pool/Pool.ts"
import { type Knowledge, nothingKnown, type Program } from "../Task.ts"
import type { NextClaim } from "./Attempt.ts"
import type { Intake } from "./consumer.ts"
import { RUN, withheld } from "./obstacles.ts"
import { type Needs, perform } from "./perform.ts"
import { reserve } from "./reserve.ts"

/** A broker that is away for a moment. Handed back, a message is next in line; left to its lease it counts as crashed. */
const whileHandingBack = Schedule.max([Schedule.spaced("250 millis"), Schedule.recurs(20)])

export interface Options<R> {
  readonly programs: ReadonlyMap<string, Program<R>>
  /** As many permits as messages may be held. A job has one, and gives it back or hands it on to the next. */
  readonly slots: Semaphore.Semaphore
  readonly jobs: Queue.Queue<Job<Needs<R>>>
  readonly intake: Intake
  /** Whether messages may wait for a child: then each takes its turn in the mailbox, and is shown while it waits. */
  readonly waits: boolean
  /** Whether this process must end after the task that has just been done. */
  readonly mustEnd: Effect.Effect<boolean>
}

/** Makes a pool's job of a claimed message. */
export const makeJobs = Effect.fnUntraced(function* <R>({ intake, jobs, mustEnd, programs, slots, waits }: Options<R>) {
  const queue = yield* TaskQueue
  const journal = yield* Journal
  const vitals = yield* Vitals
  const { TIMEZONE } = yield* Settings.of("TIMEZONE")
  /** Not counted by task id: a message may have come twice, or have none that can be read. */
  const inHand = new Set<Claimed>()
  const idle = Latch.makeUnsafe(true)

  /** Gives a message back that has not been settled, with what is known of the request it pays for. */
  const handBack = (delivery: Claimed, { generation, id }: Knowledge, crashed: boolean) => {
    // Redis may have forgotten our hold on the message together with the journal's entry, and the message then cannot tell.
    const remind =
      id === undefined || generation === undefined || generation === null || generation._tag === "Intended"
        ? Effect.void
        : Effect.ignore(Effect.timeout(journal.advance(id, generation), "1 second"))
    const given = { crashed, generation: Carried.of(generation) }
    return Effect.andThen(remind, Effect.ignore(Effect.retry(queue.handBack(delivery, given), whileHandingBack)))
  }

  const isWanted = Effect.gen(function* () {
    if (waits || !intake.isOpen || Queue.sizeUnsafe(jobs) > 0 || vitals.barren.tasks >= RUN) return false
    return withheld(vitals, yield* Clock.currentTimeMillis) === ""
  })

  /** `release`: to be done when the message is no longer in hand. */
  const make = (delivery: Claimed, release: Effect.Effect<void> = Effect.void): Job<Needs<R>> => {
    inHand.add(delivery)
    idle.closeUnsafe()
    const knowledge = nothingKnown()
    /** Asked once, when the task has ended. A process that must end takes nothing more. */
    let ends: boolean | undefined
    const isLast = Effect.suspend(() =>
      ends === undefined ? Effect.tap(mustEnd, (must) => Effect.sync(() => (ends = must))) : Effect.succeed(ends)
    )
    const next: NextClaim = {
      isWanted: Effect.flatMap(isLast, (must) => (must ? Effect.succeed(false) : isWanted)),
      delivery: undefined,
      foundNothing: false
    }
    const letGo = Effect.andThen(
      release,
      Effect.sync(() => {
        if (next.delivery !== undefined) inHand.add(next.delivery)
        inHand.delete(delivery)
        if (inHand.size === 0) idle.openUnsafe()
      })
    )
    const freeSlot = Effect.suspend(() => (next.delivery !== undefined || ends === true ? Effect.void : slots.release(1)))
    const run = Effect.gen(function* () {
      const child = yield* perform(programs, delivery, knowledge, next)
      if (next.foundNothing) intake.foundNothing = true
      return (yield* isLast) ? "memory" : child
    })
    return {
      name: `message ${delivery.tag}`,
      run: Effect.ensuring(run, Effect.andThen(letGo, freeSlot)),
      next: () => {
        const claimed = next.delivery
        next.delivery = undefined
        return claimed === undefined ? undefined : make(claimed)
      },
      handBack: ({ crashed }) =>
        Effect.suspend(() => {
          const claimed = next.delivery
          next.delivery = undefined
          const given = Effect.andThen(letGo, handBack(delivery, knowledge, crashed))
          if (claimed === undefined) return given
          inHand.delete(claimed)
          return given.pipe(Effect.andThen(handBack(claimed, nothingKnown(), false)), Effect.andThen(slots.release(1)))
        })
    }
  }

  const jobOf = (delivery: Claimed) =>
    waits
      ? Effect.map(reserve(vitals, delivery, TIMEZONE), ({ release }) => make(delivery, release))
      : Effect.sync(() => make(delivery))

  return { jobOf, held: () => inHand.size, idle: idle.await }
})
