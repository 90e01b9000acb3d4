import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { reserving } from "./lib/reservations.ts"
import { journalKeys, writeArguments, writing } from "./lib/journalEntries.ts"

/**
 * Writes an intent if the fleet may have one more request in flight (`limit`; 0: any number). Tasks that find no room wait in a
 * line, scored with the time of first asking. One that asked within `present` seconds comes before those behind it; one that has
 * not asked for `gone` seconds has left the line. `ifEnded` ("1" or "0"): only if no request of this task id is in flight.
 * Its price is reserved in the budget in the same step, or the budget refuses it.
 */
export const intend = script({
  name: "mgIntend",
  keys: { ...journalKeys, line: kombu.line, asked: kombu.lineAsked },
  args: { ...writeArguments, limit: "number", present: "number", gone: "number", ifEnded: "text" },
  uses: [writing, reserving],
  lua: `
local answer, t = cjson.encode, now()
if not is_expected() then return answer({ _tag = 'changed' }) end
redis.call('ZREMRANGEBYSCORE', open, '-inf', t)
local counts = redis.call('ZSCORE', open, task)
if counts and ifEnded == '1' then return answer({ _tag = 'contended' }) end
local again = is_reserved()
local over = not again and over_budget(t)
if over then
  redis.call('ZREM', line, task) redis.call('ZREM', asked, task)
  return answer(over)
end
if limit > 0 and not counts then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', asked, '-inf', t - gone)) do
    redis.call('ZREM', line, other) redis.call('ZREM', asked, other)
  end
  redis.call('ZADD', line, 'NX', decimal(t), task)
  redis.call('ZADD', asked, decimal(t), task)
  local taken = redis.call('ZCARD', open)
  if taken >= limit then return answer({ _tag = 'full' }) end -- however long the line is
  for _, other in ipairs(redis.call('ZRANGE', line, 0, -1)) do
    if other == task then break end
    if tonumber(redis.call('ZSCORE', asked, other)) > t - present then taken = taken + 1 end
  end
  if taken >= limit then return answer({ _tag = 'full' }) end
end
redis.call('ZREM', line, task) redis.call('ZREM', asked, task)
local warnings = again and {} or reserve(t)
write()
return answer({ _tag = 'written', warnings = #warnings > 0 and warnings or nil })`,
  answer: (reply) => reply
})
