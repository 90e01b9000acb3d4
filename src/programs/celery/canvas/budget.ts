/**
 * The most tasks and message bytes that one message may set off. A small canvas can ask for any number of tasks, and making their
 * messages blocks this worker.
 */
export const MOST_MESSAGES = 2000
export const MOST_BYTES = 24 * 1024 * 1024

/** A canvas asks for more messages than one message may set off. */
export class TooMuch extends Error {
  override name = "TooMuch"
}

/** Notes what is about to be made for a message; throws `TooMuch` when all of it together is beyond the bounds. */
export type Spend = (messages: number, bytes: number) => void

export const budget = (): Spend => {
  let messages = 0
  let bytes = 0
  return (more, size) => {
    messages += more
    bytes += size
    if (messages > MOST_MESSAGES) throw new TooMuch(`more than ${MOST_MESSAGES} tasks, which is the most one task may set off`)
    if (bytes > MOST_BYTES) throw new TooMuch(`more than ${MOST_BYTES} bytes of messages, which is the most one task may set off`)
  }
}
