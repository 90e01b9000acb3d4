import { ALTOGETHER, FIRST, KEEP, LAST } from "../../../../services/TaskLives.ts"
import { OVERHEAD } from "../../../lifeText.ts"
import { library } from "../script.ts"
import { clock } from "./clock.ts"

/** Of which task something is told, and what; undefined: nothing. See `tellingOf` in layers/lifeText.ts. */
export const toldArguments = { task: "text?", told: "text?" } as const

/**
 * tell(task, told): appends an event to the life of a task, or counts it where the last one was of the same kind. A life is a list
 * under a key of its own; `lives` has the ids, scored with the time of the last event, and `lives-bytes` the sum of all lives. Each
 * call removes some lives that are too old or too many.
 *
 * It comes last in a script and never fails: no life is worth a step that is not made.
 */
export const remember = library({
  needs: ["lives"],
  uses: [clock],
  lua: `
local function append(task, told)
  local life, total, t = lives .. ':' .. task, lives .. '-bytes', decimal(now())
  local last, kind, grown = redis.call('LINDEX', life, -1), string.match(told, '^[^\\n]*'), 0
  local number, times, first, before = string.match(last or '', '^(%d+) (%d+) (%S+) %S+ ([^\\n]*)\\n')
  if before == kind and kind ~= '' then
    local again = number .. ' ' .. (times + 1) .. ' ' .. first .. ' ' .. t .. ' ' .. told
    redis.call('LSET', life, -1, again)
    grown = #again - #last
  else
    local one = (number and number + times or 1) .. ' 1 ' .. t .. ' ' .. t .. ' ' .. told
    grown = #one + ${OVERHEAD}
    if redis.call('RPUSH', life, one) > ${FIRST + LAST} then
      grown = grown - #redis.call('LINDEX', life, ${FIRST}) - ${OVERHEAD}
      redis.call('LSET', life, ${FIRST}, '') redis.call('LREM', life, 1, '')
    end
  end
  redis.call('ZADD', lives, t, task)
  local bytes = (tonumber(redis.call('GET', total) or nil) or 0) + grown
  for _ = 1, 10 do
    local oldest = redis.call('ZRANGE', lives, 0, 0, 'WITHSCORES')
    if oldest[1] == task or bytes <= ${ALTOGETHER} and tonumber(oldest[2]) > t - ${KEEP} then break end
    local old = lives .. ':' .. oldest[1]
    for _, one in ipairs(redis.pcall('LRANGE', old, 0, -1)) do bytes = bytes - #one - ${OVERHEAD} end
    redis.call('DEL', old) redis.call('ZREM', lives, oldest[1])
  end
  redis.call('SET', total, string.format('%d', math.max(0, bytes)))
end
local function tell(task, told) if task and told then pcall(append, task, told) end end`
})
