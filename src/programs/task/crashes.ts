import type * as Message from "../celery/Message.ts"
import type { Standing } from "../Task.ts"

/** So many workers may die over a task between two steps that it makes. */
const MAX_CRASHES = 3
/** How long a paid task rests after that, twice as long each time (seconds). */
const FIRST_REST = 5
const LONGEST_REST = 300

/**
 * What is done with a message that workers have died over. Nobody knows whether it was the cause. A task whose picture is paid is
 * taken up again for as long as the picture may be had, at growing intervals; any other is given up, and may have used up a few
 * more workers when it had come as far as asking for one.
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
