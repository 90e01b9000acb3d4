import type * as Message from "../celery/Message.ts"
import type { Standing } from "./Task.ts"

/** The most workers that may die over a task between two steps that it makes. */
const MAX_CRASHES = 3
/** How long a paid task rests after that, twice as long each time (seconds). */
const FIRST_REST = 5
const LONGEST_REST = 300

/**
 * Decides about a message over which workers have died. It is unknown whether the message was the cause. A task whose picture is
 * paid is tried again, at growing intervals, for as long as fal keeps the picture. Any other is given up; one that had got as far
 * as making a request may have ended a few more workers before.
 */
export const afterCrashes = (
  { crashes, rested }: Pick<Message.Message, "crashes" | "rested">,
  standing: Standing
): "run" | "lost" | { readonly restFor: number } => {
  if (crashes < MAX_CRASHES) return "run"
  switch (standing) {
    case "paid":
    case "done":
      return rested >= crashes ? "run" : { restFor: Math.min(FIRST_REST * 2 ** (crashes - MAX_CRASHES), LONGEST_REST) }
    case "asked":
      return crashes < 2 * MAX_CRASHES ? "run" : "lost"
    default:
      return "lost"
  }
}
