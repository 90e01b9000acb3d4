import { Effect, Latch, Queue, Schedule, type Semaphore } from "effect"
import { Journal } from "../../services/Journal.ts"
import type { Claimed } from "../../services/TaskQueue.ts"
import * as GenerationProperty from "./GenerationProperty.ts"
import type { Job } from "../runtime/Pool.ts"
import { type Knowledge, nothingKnown, type Program } from "./Task.ts"
import type { NextClaim } from "./Attempt.ts"
import { RUN, blockedSince } from "./obstacles.ts"
import { perform } from "./perform.ts"
import { reserve } from "./reserve.ts"
import { makeTaskContext, type WorkerHooks } from "./TaskContext.ts"

/**
 * How long a hand-back is retried while Redis is away. A message that is not handed back comes again after the lease, as a crash.
 */
const whileHandingBack = Schedule.max([Schedule.spaced("250 millis"), Schedule.recurs(20)])

/** Whether the command that ends a task may also claim the next message. The consumer and the jobs share it. */
export interface Intake {
  /** The consumer opens it while it takes messages; a pause closes it. */
  isOpen: boolean
  /** The last such command found the queues empty, and the consumer has not looked since. */
  foundNothing: boolean
}

export interface Options<R> {
  readonly programs: ReadonlyMap<string, Program<R>>
  /** One permit for each message that may be held. A job gives its permit back, or passes it to the next job. */
  readonly slots: Semaphore.Semaphore
  readonly jobs: Queue.Queue<Job<R>>
  readonly intake: Intake
  /** Prefetch above 1: messages wait in the mailbox for a child, and `inspect reserved` shows them. */
  readonly waits: boolean
  readonly hooks: WorkerHooks
  /** Whether this process must exit after the task that has just ended. */
  readonly mustEnd: Effect.Effect<boolean>
}

/** Makes a pool's job of a claimed message. */
export const makeJobs = Effect.fnUntraced(function* <R>({ hooks, intake, jobs, mustEnd, programs, slots, waits }: Options<R>) {
  const journal = yield* Journal
  const context = yield* makeTaskContext(hooks)
  const { clock, policy, queue, vitals } = context
  /** Counts messages, not task ids: one id may come twice, and an unreadable message has none. */
  const inHand = new Set<Claimed>()
  const idle = Latch.makeUnsafe(true)

  /** Hands back a message that has not been acknowledged, with its `generation` property. */
  const handBack = (delivery: Claimed, { generation, id }: Knowledge, crashed: boolean, since: number) => {
    // Redis may have lost the hold and the journal's entry together, and then the message cannot tell of its request.
    const remind =
      id === undefined || generation === undefined || generation === null || generation._tag === "Intended"
        ? Effect.void
        : Effect.ignore(Effect.timeout(journal.advance(id, generation), "1 second"))
    const reason = crashed ? "its child crashed" : "the worker stopped"
    const heldMs = Math.max(0, Math.round(clock.currentTimeMillisUnsafe() - since))
    const event = { _tag: "HandedBack", by: context.worker.name, heldMs, reason, detail: "" } as const
    // A task that has bought nothing runs again as if for the first time.
    const told = id === undefined || (!generation && !crashed) ? undefined : { taskId: id, event }
    const given = { crashed, generation: GenerationProperty.of(generation), told }
    return Effect.andThen(remind, Effect.ignore(Effect.retry(queue.handBack(delivery, given), whileHandingBack)))
  }

  const isWanted = () =>
    !waits &&
    intake.isOpen &&
    Queue.sizeUnsafe(jobs) === 0 &&
    vitals.barren.tasks < RUN &&
    blockedSince(vitals, clock.currentTimeMillisUnsafe()) === ""

  /** `release` gives the slot back; it runs when this worker no longer holds the message. */
  const make = (delivery: Claimed, release = () => {}): Job<R> => {
    inHand.add(delivery)
    idle.closeUnsafe()
    const knowledge = nothingKnown()
    const since = clock.currentTimeMillisUnsafe()
    /** Asked once, when the task has ended. A process that must end takes nothing more. */
    let ends: boolean | undefined
    const isLast = Effect.suspend(() =>
      ends === undefined ? Effect.tap(mustEnd, (must) => Effect.sync(() => (ends = must))) : Effect.succeed(ends)
    )
    const next: NextClaim = {
      isWanted: Effect.map(isLast, (must) => !must && isWanted()),
      delivery: undefined,
      foundNothing: false
    }
    const letGo = () => {
      release()
      if (next.delivery !== undefined) inHand.add(next.delivery)
      inHand.delete(delivery)
      if (inHand.size === 0) idle.openUnsafe()
    }
    const freeSlot = () => {
      letGo()
      return next.delivery !== undefined || ends === true ? undefined : slots.release(1)
    }
    const run = Effect.flatMap(perform(context, programs, delivery, knowledge, next), (child) => {
      if (next.foundNothing) intake.foundNothing = true
      return Effect.map(isLast, (must) => (must ? "memory" : child))
    })
    return {
      name: `message ${delivery.tag}`,
      run: Effect.onExitPrimitive(run, freeSlot),
      next: () => {
        const claimed = next.delivery
        next.delivery = undefined
        return claimed === undefined ? undefined : make(claimed)
      },
      handBack: ({ crashed }) =>
        Effect.suspend(() => {
          const claimed = next.delivery
          next.delivery = undefined
          letGo()
          const given = handBack(delivery, knowledge, crashed, since)
          if (claimed === undefined) return given
          inHand.delete(claimed)
          return given.pipe(Effect.andThen(handBack(claimed, nothingKnown(), false, since)), Effect.andThen(slots.release(1)))
        })
    }
  }

  const jobOf = (delivery: Claimed) =>
    waits
      ? Effect.map(reserve(vitals, delivery, policy.zone), ({ release }) => make(delivery, release))
      : Effect.sync(() => make(delivery))

  return { jobOf, held: () => inHand.size, idle: idle.await }
})
