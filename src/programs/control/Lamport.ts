/** Lamport's clock, by which Celery orders what different workers say: a count that never falls behind one that was heard. */
export interface Lamport {
  readonly value: () => number
  /** The time of the next thing said. */
  readonly forward: () => number
  /** Takes note of a time that was heard; what is no such time only counts as one more. */
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
