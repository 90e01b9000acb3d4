import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { journalKeys, writeArguments, writing } from "./lib/journalEntries.ts"

/**
 * Writes an intent if the fleet may have one more request in flight (`limit`; 0: any number). Tasks that find no room wait in a
 * line, scored with the time of first asking. One that asked within `present` seconds comes before those behind it; one that has
 * not asked for `gone` seconds has left the line. `ifEnded` ("1" or "0"): only if no request of this task id is in flight.
 */
export const intend = script({
  name: "mgIntend",
  keys: { ...journalKeys, line: kombu.line, asked: kombu.lineAsked },
  args: { ...writeArguments, limit: "number", present: "number", gone: "number", ifEnded: "text" },
  uses: [writing],
  lua: `
local t = now()
if not is_expected() then return 'changed' end
redis.call('ZREMRANGEBYSCORE', open, '-inf', t)
local counts = redis.call('ZSCORE', open, task)
if counts and ifEnded == '1' then return 'contended' end
if limit > 0 and not counts then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', asked, '-inf', t - gone)) do
    redis.call('ZREM', line, other) redis.call('ZREM', asked, other)
  end
  redis.call('ZADD', line, 'NX', decimal(t), task)
  redis.call('ZADD', asked, decimal(t), task)
  local taken = redis.call('ZCARD', open)
  if taken >= limit then return 'full' end -- however long the line is
  for _, other in ipairs(redis.call('ZRANGE', line, 0, -1)) do
    if other == task then break end
    if tonumber(redis.call('ZSCORE', asked, other)) > t - present then taken = taken + 1 end
  end
  if taken >= limit then return 'full' end
end
redis.call('ZREM', line, task) redis.call('ZREM', asked, task)
write()
return 'written'`,
  answer: (reply) => reply
})
