import { Deferred, Duration, Effect, Exit, Fiber, Option, Queue } from "effect"
import { Metrics, type RetirementReason } from "../../services/Metrics.ts"
import * as Supervisor from "./Supervisor.ts"
import { within } from "./within.ts"

/**
 * `spent`: something of the job may live on, so the child that ran it must retire; `memory`: so must the whole process, and it
 * does; `last`: the child must not be replaced.
 */
export type Outcome = "reusable" | "spent" | "memory" | "last"

/** One job. It reports its own outcome; a failure of `run` is a bug and crashes the child. */
export interface Job<R> {
  readonly name: string
  readonly run: Effect.Effect<Outcome, never, R>
  /** The job that the same child runs next, if one came with the end of this job. Called once, after the job has ended. */
  readonly next?: () => Job<R> | undefined
  /** Gives the work back unfinished, and the next job where there is one; `crashed` when the work ended its child. */
  readonly handBack: (options: { readonly crashed: boolean }) => Effect.Effect<void, never, R>
}

export interface Options {
  readonly size: number
  /** Jobs a child runs before it retires. */
  readonly quota: number
  /** How long a stop lets running jobs finish before they are handed back. */
  readonly grace: Duration.Duration
  /** Completed when a stop should not wait at all. */
  readonly hurry: Deferred.Deferred<void>
}

const PATIENCE = Duration.seconds(5)

/**
 * Runs one job to its end. Interrupted, it lets the job finish within the grace, then hands it back. To be called where
 * nothing interrupts, so that a job once taken is never dropped; `restore` is what makes the wait interruptible.
 */
const perform = <R>(
  job: Job<R>,
  options: Options,
  restore: <A, E, R2>(effect: Effect.Effect<A, E, R2>) => Effect.Effect<A, E, R2>,
  ended: (outcome: Outcome) => void
): Effect.Effect<Outcome, never, R> => {
  // Noted by the job itself: a stop may come between its end and our hearing of it.
  const run = Effect.map(job.run, (outcome) => {
    ended(outcome)
    return outcome
  })
  return Effect.flatMap(Effect.forkDetach(run, { startImmediately: true }), (fiber) => {
    const awaited = Effect.onInterrupt(restore(Fiber.await(fiber)), () => finishOrHandBack(job, fiber, options))
    return Effect.flatMap(awaited, (exit) =>
      Exit.isFailure(exit) ? Effect.andThen(job.handBack({ crashed: true }), exit) : exit
    )
  })
}

const finishOrHandBack = Effect.fnUntraced(function* <R>(job: Job<R>, fiber: Fiber.Fiber<Outcome>, options: Options) {
  const ended = yield* within(Effect.raceFirst(Fiber.await(fiber), Deferred.await(options.hurry)), options.grace)
  if (Option.isSome(ended) && ended.value !== undefined) return yield* job.next?.()?.handBack({ crashed: false }) ?? Effect.void
  fiber.interruptUnsafe()
  const last = yield* within(Fiber.await(fiber), PATIENCE)
  // The job may have ended while it was being interrupted.
  if (Option.isNone(last) || Exit.isFailure(last.value)) yield* job.handBack({ crashed: false })
})

interface Log {
  /** Counts a job that was done. */
  readonly did: () => void
  /** The child is no more. */
  readonly left: () => void
  /** How often the pool was renewed. */
  readonly generation: () => number
}

/** One life of a child: it runs jobs one after another, up to its quota. */
const life = <R>(jobs: Queue.Queue<Job<R>>, options: Options, self: Supervisor.Self, log: Log) =>
  Effect.gen(function* () {
    const metrics = yield* Metrics
    yield* metrics.count("children_started_total", {})
    let reason: RetirementReason | undefined
    let next: Job<R> | undefined
    const born = log.generation()
    const ended = (outcome: Outcome) => {
      if (outcome !== "reusable") reason = outcome
    }
    const one = Effect.uninterruptibleMask((restore) => {
      const whole = (job: Job<R>) => {
        next = undefined
        return Effect.map(Effect.andThen(self.doing(job.name), perform(job, options, restore, ended)), (outcome) => {
          next = job.next?.()
          return outcome
        })
      }
      // A stop that has come meanwhile hands the next job back before it begins.
      return Effect.flatMap(restore(next === undefined ? Queue.take(jobs) : Effect.succeed(next)), whole)
    })
    yield* Effect.gen(function* () {
      for (let done = 0; done < options.quota; done++) {
        if (next === undefined) yield* self.doing(`ready, ${done} of ${options.quota} done`)
        if ((yield* one) === "last") {
          log.left()
          yield* self.leave
        } else log.did()
        if (log.generation() !== born) reason ??= "renewed"
        if (reason !== undefined) return
      }
    }).pipe(
      Effect.onExit((exit) => {
        const counted = metrics.count("children_retired_total", {
          reason: reason ?? (Exit.isSuccess(exit) ? "quota" : Exit.hasInterrupts(exit) ? "stopped" : "crashed")
        })
        // The child's successor does the next job; when the pool stops, the job is handed back.
        if (next === undefined) return counted
        const passedOn = Exit.hasInterrupts(exit) ? next.handBack({ crashed: false }) : Effect.asVoid(Queue.offer(jobs, next))
        return Effect.andThen(passedOn, counted)
      })
    )
  })

/** A job that is the last of whichever child takes it. It waits its turn, so nothing that runs is cut short. */
const farewell: Job<never> = { name: "leaving", run: Effect.succeed("last"), handBack: () => Effect.void }

type Newcomer<R> = Supervisor.Child<R | Metrics>

/** A pool, and the means to change its size while it runs. */
export interface Pool<R> extends Newcomer<R> {
  readonly grow: (by: number) => Effect.Effect<void>
  /** The next `by` children to end their job leave. */
  readonly shrink: (by: number) => Effect.Effect<void>
  /** Every child that runs now is replaced when it has done its job. */
  readonly renew: Effect.Effect<void>
  /** Children there will be when those that are to leave have left. */
  readonly size: () => number
  /** Jobs each child has done. */
  readonly done: () => ReadonlyArray<number>
}

/**
 * `size` children that take jobs from one mailbox. A child that has done its quota ends, and its successor is the same
 * fiber's next turn: there is no gap. It knows nothing of what the jobs are. Only a pool with a door for newcomers can grow.
 */
export const pool = <R>(jobs: Queue.Queue<Job<R>>, options: Options, door?: Queue.Queue<Newcomer<R>>): Pool<R> => {
  let size = options.size
  let generation = 0
  let born = 0
  const counts = new Map<string, number>()
  const newChild = () => {
    const name = `child-${++born}`
    counts.set(name, 0)
    return Supervisor.actor(
      name,
      { mailbox: jobs, stopWithin: Duration.sum(options.grace, Duration.times(PATIENCE, 2)) },
      (self) =>
        life(jobs, options, self, {
          did: () => counts.set(name, (counts.get(name) ?? 0) + 1),
          left: () => counts.delete(name),
          generation: () => generation
        })
    )
  }
  const children = (count: number) => Array.from({ length: count }, newChild)
  const stopWithin = Duration.sum(options.grace, Duration.times(PATIENCE, 3))
  const crew = Supervisor.supervisor(
    "pool",
    { intensity: 5, period: "1 minute", together: true, stopWithin, ...(door === undefined ? {} : { joining: door }) },
    children(options.size)
  )
  return {
    ...crew,
    grow: (by) =>
      Effect.suspend(() => {
        if (door === undefined) return Effect.die(new Error("this pool has no door"))
        size += by
        return Effect.asVoid(Queue.offerAll(door, children(by)))
      }),
    shrink: (by) =>
      Effect.suspend(() => {
        size -= by
        return Effect.asVoid(
          Queue.offerAll(
            jobs,
            Array.from({ length: by }, () => farewell)
          )
        )
      }),
    renew: Effect.sync(() => {
      generation++
    }),
    size: () => size,
    done: () => crew.node.children.map(({ name }) => counts.get(name) ?? 0)
  }
}

/** Gives back what no child has taken yet. */
export const drain = <R>(jobs: Queue.Queue<Job<R>>) =>
  Effect.flatMap(Queue.clear(jobs), (left) => Effect.forEach(left, (job) => job.handBack({ crashed: false }), { discard: true }))
