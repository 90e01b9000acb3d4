import type { RetryLater } from "./Task.ts"
import type { Tries } from "./ending.ts"

/** Whether a failure that may pass uses up the last retry that counts. */
export const isExhausted = ({ counted }: Pick<RetryLater, "counted">, { most, retries, uncounted }: Tries): boolean =>
  counted && retries - uncounted >= most

export interface BackOff {
  /** The longest delay before the first retry; twice as long before each further one (seconds). */
  readonly first: number
  readonly longest: number
}

/**
 * Seconds until the next try: exponential back-off with full jitter, as Celery's `retry_backoff` and `retry_jitter` have it.
 * `chance` is from 0 to 1. Never less than the failure asks for.
 */
export const delaySeconds = (
  retries: number,
  { atLeast }: Pick<RetryLater, "atLeast">,
  { first, longest }: BackOff,
  chance: number
): number => Math.max(atLeast, chance * Math.min(longest, first * 2 ** Math.min(retries, 30)))
