import { library } from "../script.ts"

/** release_hold(tag): the message is no longer unacknowledged, and nobody's. */
export const holding = library({
  needs: ["unacked", "index", "held"],
  lua: `
local function release_hold(tag)
  redis.call('HDEL', unacked, tag) redis.call('ZREM', index, tag) redis.call('HDEL', held, tag)
end`
})
