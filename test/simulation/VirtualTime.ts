import { type Clock, Duration, Effect, type Scheduler } from "effect"

interface Sleeper {
  readonly at: number
  readonly order: number
  /** Undefined when nobody waits for it any more. */
  wake: (() => void) | undefined
}

const isBefore = (one: Sleeper, other: Sleeper) => one.at < other.at || (one.at === other.at && one.order < other.order)

/** Sleepers by the time they wake: a binary heap, because a run wakes thousands of them. */
class Sleepers {
  readonly #heap: Array<Sleeper> = []

  get first(): Sleeper | undefined {
    return this.#heap[0]
  }

  add(sleeper: Sleeper) {
    const heap = this.#heap
    let at = heap.push(sleeper) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent]!, sleeper)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = sleeper
  }

  removeFirst() {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    while (true) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

/**
 * Time that passes only when it is told to, and one queue for all that is ready to run. Nothing of it touches Node's event
 * loop, so a run is one synchronous call and the same every time; the TestClock of Effect sets a real timer at each wake, which
 * costs more than all the rest of a run.
 */
export class VirtualTime {
  #ready: Array<() => void> = []
  readonly #sleepers = new Sleepers()
  #order = 0

  now: number

  constructor(start: number) {
    this.now = start
  }

  readonly scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield,
    makeDispatcher: () => ({ scheduleTask: (task) => void this.#ready.push(task), flush: () => {} })
  }

  /**
   * What a process sleeps by, and its time of day, which may be `ahead`. What it would have done after its death is not even
   * begun.
   */
  clock(isAlive: () => boolean, ahead: () => number = () => 0): Clock.Clock {
    const millis = () => this.now + ahead()
    const nanosOf = (time: number) => BigInt(Math.floor(time)) * 1_000_000n
    const nanos = () => nanosOf(millis())
    const monotonic = () => nanosOf(this.now)
    return {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: monotonic,
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) =>
        Duration.isFinite(duration)
          ? Effect.callback<void>((resume) => {
              const sleeper: Sleeper = {
                at: this.now + Math.max(0, Duration.toMillis(duration)),
                order: this.#order++,
                wake: () => isAlive() && resume(Effect.void)
              }
              this.#sleepers.add(sleeper)
              return Effect.sync(() => {
                sleeper.wake = undefined
              })
            })
          : Effect.never
    }
  }

  /** When what is running now has come to a pause. */
  soon(task: () => void) {
    this.#ready.push(task)
    return true
  }

  /** Runs until nothing is ready any more. */
  settle() {
    while (this.#ready.length > 0) {
      const batch = this.#ready
      this.#ready = []
      for (const task of batch) task()
    }
  }

  /** Lets so many milliseconds pass, and everything happen that falls into them. */
  pass(millis: number) {
    const end = this.now + millis
    this.settle()
    for (let first = this.#sleepers.first; first !== undefined && first.at <= end; first = this.#sleepers.first) {
      this.#sleepers.removeFirst()
      if (first.wake === undefined) continue
      this.now = first.at
      first.wake()
      this.settle()
    }
    this.now = end
  }
}
