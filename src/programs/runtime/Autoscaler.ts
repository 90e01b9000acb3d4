import { Clock, Duration, Effect, Queue } from "effect"
import type { Self } from "./Supervisor.ts"

/** How many children a pool may have at most, and how many it keeps. */
export interface Range {
  readonly max: number
  readonly min: number
}

/** A pool that has grown does not shrink for this long, as in Celery. */
const KEEP = Duration.toMillis("30 seconds")

export interface Options {
  readonly range: Range
  /** Children there are. */
  readonly size: () => number
  /** How many jobs the worker holds, running or waiting. */
  readonly held: () => number
  /** Children more, or fewer when below 0. */
  readonly resize: (by: number) => Effect.Effect<void>
  /** Tells the consumer how many jobs it may hold now: as many as there can be children. */
  readonly admit: (max: number) => Effect.Effect<void>
}

export interface Autoscaler {
  readonly mailbox: Queue.Queue<void>
  /** A job has come: look at once. */
  readonly nudge: Effect.Effect<void>
  /** Fits the pool to the number of jobs: it grows at once, and shrinks only after it has been too large for a while. */
  readonly scale: Effect.Effect<void>
  /** Other bounds, which hold at once; null leaves one as it is. A `min` above the `max` is the `max`. */
  readonly update: (max: number | null, min: number | null) => Effect.Effect<Range>
  readonly info: () => Range & { readonly current: number; readonly qty: number }
}

export const make = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Autoscaler> {
  const mailbox = yield* Queue.sliding<void>(1)
  let range = options.range
  let grownAt = Number.NEGATIVE_INFINITY

  const within = (children: number) => Math.min(Math.max(children, range.min), range.max)
  const to = (children: number) => (children === options.size() ? Effect.void : options.resize(children - options.size()))

  return {
    mailbox,
    nudge: Effect.asVoid(Queue.offer(mailbox, undefined)),
    scale: Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const wanted = within(options.held())
      if (wanted > options.size()) grownAt = now
      else if (now - grownAt <= KEEP) return
      yield* to(wanted)
    }),
    update: Effect.fnUntraced(function* (max, min) {
      const most = max ?? range.max
      range = { max: most, min: Math.min(min ?? range.min, most) }
      yield* options.admit(most)
      yield* to(within(options.size()))
      return range
    }),
    info: () => ({ ...range, current: options.size(), qty: options.held() })
  }
})

/** Looks whenever a job comes, and every second. */
export const autoscaler = (scaler: Autoscaler) => (self: Self) =>
  Effect.gen(function* () {
    while (true) {
      yield* scaler.scale
      const { current, max, min } = scaler.info()
      yield* self.doing(`${current} children, ${min} to ${max}`)
      yield* Effect.timeoutOption(Queue.take(scaler.mailbox), "1 second")
    }
  })
