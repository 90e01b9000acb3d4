import * as kombu from "../../../wire/kombu.ts"
import { nothing, script } from "./script.ts"
import { clock } from "./lib/clock.ts"

/** Makes parked messages due now, in the order of their tags (`rest`), in both places where that is written. */
export const bringForward = script({
  name: "mgHasten",
  keys: { scheduled: kombu.scheduled, index: kombu.unackedIndex },
  args: { visibility: "number" },
  rest: true,
  uses: [clock],
  lua: `
local t = now()
for i = rest, #ARGV do
  local tag, at = ARGV[i], t + i / 1000000
  local due = redis.call('ZSCORE', scheduled, tag)
  if due and tonumber(due) > at then
    redis.call('ZADD', scheduled, decimal(at), tag)
    redis.call('ZADD', index, decimal(at - visibility), tag)
  end
end
return 1`,
  answer: nothing
})
