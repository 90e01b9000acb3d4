import { Clock, Duration, Effect, Option, Queue, type Semaphore } from "effect"
import { Generator } from "../../services/Generator.ts"
import { Journal } from "../../services/Journal.ts"
import { Metrics } from "../../services/Metrics.ts"
import { type Claimed, TaskQueue } from "../../services/TaskQueue.ts"
import { isNews, Vitals } from "../../services/Vitals.ts"
import type { Job } from "../runtime/Pool.ts"
import type { Self } from "../runtime/Supervisor.ts"
import type { PutBack } from "../task/Task.ts"
import type { Intake } from "../task/job.ts"
import { explain } from "../explain.ts"
import { PACE, pausedBy, RUN, blockedSince } from "../task/obstacles.ts"

const FIRST_PAUSE = Duration.seconds(15)
const LONGEST_PAUSE = Duration.minutes(5)
/** A pause this long ago says nothing about the next one. */
const FORGET = Duration.minutes(15)

export interface Options<R> {
  /** As many permits as messages may be held: concurrency times the prefetch multiplier. */
  readonly slots: Semaphore.Semaphore
  readonly jobs: Queue.Queue<Job<R>>
  readonly jobOf: (delivery: Claimed) => Effect.Effect<Job<R>>
  readonly intake: Intake
  /** Completes when this worker has no job. */
  readonly idle: Effect.Effect<void>
  /** Reasons to take nothing for a while. */
  readonly pauses: Queue.Queue<PutBack>
  /** Publishes an event that the worker has paused, and why; "" when it goes on. */
  readonly told: (paused: string) => Effect.Effect<void>
  /** Completes when this worker has its lease and knows what is revoked: nothing is taken before. */
  readonly leased: Effect.Effect<void>
}

/**
 * Takes messages while there is room for them and hands them to the pool. An account that fal refuses pauses it: a pause
 * grows from 15 s to 5 min until a task goes well, and ends early only for what a free question to fal can see.
 */
export const consumer =
  <R>(options: Options<R>) =>
  (self: Self) =>
    Effect.gen(function* () {
      const queue = yield* TaskQueue
      const generator = yield* Generator
      const journal = yield* Journal
      const metrics = yield* Metrics
      const vitals = yield* Vitals
      const { intake } = options
      let length = FIRST_PAUSE
      let lastPause = 0

      const rest = Effect.fnUntraced(function* (pause: PutBack) {
        const now = yield* Clock.currentTimeMillis
        intake.isOpen = false
        if (now - lastPause > Duration.toMillis(FORGET)) length = FIRST_PAUSE
        vitals.paused = `${pause.reason}: ${pause.detail}`
        yield* metrics.count("pauses_total", { reason: pause.reason })
        yield* metrics.set("consuming", {}, 0)
        yield* options.told(vitals.paused)
        do {
          yield* Effect.logError(`taking no tasks for ${Duration.format(length)}`, { reason: vitals.paused })
          yield* self.doing(`paused: ${vitals.paused}`)
          yield* Effect.sleep(length)
          yield* metrics.count("paused_seconds_total", { reason: pause.reason }, Duration.toSeconds(length))
          length = Duration.min(Duration.times(length, 2), LONGEST_PAUSE)
        } while (
          (yield* Effect.result(generator.probe)).pipe(
            (probe) => probe._tag === "Failure" && probe.failure.reason._tag === "AccountProblem"
          )
        )
        yield* Queue.clear(options.pauses)
        lastPause = yield* Clock.currentTimeMillis
        vitals.paused = ""
        yield* options.told("")
        yield* Effect.logInfo("taking tasks again")
      })

      /**
       * While a result cannot be stored, or the journal not be read, a task more would only be paid for and wait, or be put off.
       * The call that insists finds out when it can; the journal is asked here.
       */
      const untilTasksCanEnd = Effect.gen(function* () {
        if (blockedSince(vitals, yield* Clock.currentTimeMillis) === "") return
        yield* metrics.set("consuming", {}, 0)
        while (true) {
          const why = blockedSince(vitals, yield* Clock.currentTimeMillis)
          if (why === "") break
          yield* self.doing(why)
          yield* Effect.sleep("1 second")
          if (vitals.journalAway === undefined) continue
          const asked = yield* Effect.option(journal.inFlight)
          if (Option.isSome(asked)) vitals.journalAway = undefined
        }
        yield* metrics.set("consuming", {}, 1)
        yield* self.doing("waiting for a task")
      })

      /** The next message, or nothing when there is cause to pause. Only the claim itself cannot be interrupted. */
      const next = (restore: <A, E, R2>(effect: Effect.Effect<A, E, R2>) => Effect.Effect<A, E, R2>) =>
        Effect.gen(function* () {
          while ((yield* Queue.size(options.pauses)) === 0) {
            yield* restore(untilTasksCanEnd)
            const isEmpty = intake.foundNothing
            intake.foundNothing = false
            const claimed = isEmpty ? Option.none<Claimed>() : yield* queue.claim
            if (!isEmpty && vitals.logged.delete("queue")) yield* Effect.logInfo("the queue is reached again")
            vitals.lastLook = yield* Clock.currentTimeMillis
            if (Option.isSome(claimed)) return claimed
            yield* restore(Effect.raceFirst(queue.awaitMessage, Queue.peek(options.pauses)))
          }
          return Option.none<Claimed>()
        })

      /**
       * Runs a suspect message, over which a worker has died, alone: it starts when all other jobs have ended, and no message is
       * claimed before it has ended. If it ends this worker too, no other message is suspected.
       */
      const runAlone = Effect.fnUntraced(function* (
        claimed: Claimed,
        restore: <A, E, R2>(effect: Effect.Effect<A, E, R2>) => Effect.Effect<A, E, R2>
      ) {
        vitals.full = true
        intake.isOpen = false
        yield* self.doing("a worker died over the next task: it runs alone, when the others have ended")
        yield* restore(options.idle).pipe(
          Effect.onInterrupt(() => Effect.flatMap(options.jobOf(claimed), (job) => job.handBack({ crashed: false })))
        )
        yield* Queue.offer(options.jobs, yield* options.jobOf(claimed))
        yield* self.doing("a worker died over this task: it runs alone")
        yield* restore(options.idle)
      })

      const takeOne = Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          vitals.full = true
          yield* self.doing("all slots busy")
          yield* restore(options.slots.take(1))
          vitals.full = false
          yield* self.doing("waiting for a task")
          const claimed = yield* next(restore).pipe(Effect.onError(() => options.slots.release(1)))
          if (Option.isNone(claimed)) yield* options.slots.release(1)
          else if (claimed.value.suspect) yield* runAlone(claimed.value, restore)
          else yield* Queue.offer(options.jobs, yield* options.jobOf(claimed.value))
        })
      )

      yield* self.doing("waiting for the lease")
      yield* options.leased
      yield* Effect.addFinalizer(() => Effect.sync(() => (intake.isOpen = false)))
      while (true) {
        const pause = yield* Queue.poll(options.pauses)
        if (Option.isSome(pause)) yield* rest(pause.value)
        intake.isOpen = true
        const now = yield* Clock.currentTimeMillis
        yield* metrics.set("consuming", {}, pausedBy(vitals, now) === "" ? 1 : 0)
        if (vitals.barren.tasks >= RUN) yield* Effect.sleep(PACE)
        yield* takeOne.pipe(
          Effect.catchTag("QueueError", (error) =>
            Effect.gen(function* () {
              yield* metrics.set("consuming", {}, 0)
              yield* self.doing(`cut off from the queue (${error.operation})`)
              if (isNews(vitals, "queue", yield* Clock.currentTimeMillis))
                yield* Effect.logWarning("the queue cannot be reached", { error: explain(error) })
              yield* Effect.sleep("500 millis")
            })
          )
        )
      }
    }).pipe(Effect.scoped)
