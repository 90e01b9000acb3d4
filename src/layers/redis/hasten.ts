import type { Redis } from "ioredis"
import { script } from "./connect.ts"
import * as kombu from "./kombu.ts"
import { now } from "./scripts.ts"

/** What one step takes at most, so that others have their turn between two. */
const AT_ONCE = 500

/** KEYS scheduled, unacked_index. ARGV visibility, then tags, in the order in which they are to be due. */
const bringForward = `${now}
local t = now()
for i = 2, #ARGV do
  local due = redis.call('ZSCORE', KEYS[1], ARGV[i])
  local at = t + i / 1000000
  if due and tonumber(due) > at then
    redis.call('ZADD', KEYS[1], text(at), ARGV[i])
    redis.call('ZADD', KEYS[2], text(at - tonumber(ARGV[1])), ARGV[i])
  end
end
return 1`

/** Makes parked messages due now, in both places where that is written. */
export const hastening = (redis: Redis, visibility: number) => {
  const run = script(redis, "mgHasten", bringForward)
  return async (tags: ReadonlyArray<string>): Promise<void> => {
    for (let at = 0; at < tags.length; at += AT_ONCE)
      await run([kombu.scheduled, kombu.unackedIndex], [visibility, ...tags.slice(at, at + AT_ONCE)])
  }
}
