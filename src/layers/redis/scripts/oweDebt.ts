import * as kombu from "../../../wire/kombu.ts"
import { nothing, script } from "./script.ts"
import { clock } from "./lib/clock.ts"

/** Keeps a debt that somebody takes up in so many seconds, if its own worker has not settled it by then. */
export const oweDebt = script({
  name: "mgOwe",
  keys: { owed: kombu.owed },
  args: { debt: "text", seconds: "number" },
  uses: [clock],
  lua: `redis.call('ZADD', owed, 'NX', decimal(now() + seconds), debt)`,
  answer: nothing
})
