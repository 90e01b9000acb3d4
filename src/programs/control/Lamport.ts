/**
 * Lamport's logical clock, by which Celery orders events of different workers: a count that is never behind one it has received.
 */
export interface Lamport {
  readonly value: () => number
  /** The time of the next thing said. */
  readonly forward: () => number
  /** Moves the clock past a time that was received. A value that is no time only counts as one more tick. */
  readonly adjust: (heard: unknown) => void
}

/** Beyond this nothing counts honestly, and adding one must still make a difference. */
const FURTHEST = 2 ** 50

export const make = (): Lamport => {
  let now = 0
  return {
    value: () => now,
    forward: () => ++now,
    adjust: (heard) => {
      const theirs = typeof heard === "number" && Number.isSafeInteger(heard) && heard < FURTHEST ? heard : 0
      now = Math.max(now, theirs) + 1
    }
  }
}
