import * as kombu from "../../../wire/kombu.ts"
import { nothing, script } from "./script.ts"
import { holding } from "./lib/holding.ts"
import { remember, toldArguments } from "./lib/remember.ts"

/**
 * Parks the next try of a task in the place of the message that is held: `entry`, until `due` (Unix seconds). The index gets the
 * score at which a stock worker would restore it exactly when it is due.
 */
export const retry = script({
  name: "mgRetry",
  keys: { unacked: kombu.unacked, index: kombu.unackedIndex, held: kombu.held, scheduled: kombu.scheduled, lives: kombu.lives },
  args: { boot: "text", tag: "text", nextTag: "text", entry: "text", due: "text", visibility: "number", ...toldArguments },
  uses: [holding, remember],
  lua: `
if redis.call('HGET', held, tag) ~= boot then return 0 end
release_hold(tag)
redis.call('HSET', unacked, nextTag, entry)
redis.call('ZADD', index, string.format('%.6f', tonumber(due) - visibility), nextTag)
redis.call('ZADD', scheduled, due, nextTag)
tell(task, told)
return 1`,
  answer: nothing
})
