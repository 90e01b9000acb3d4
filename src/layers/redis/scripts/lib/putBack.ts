import { library } from "../script.ts"
import { routing } from "./routing.ts"

/**
 * put_back(tag, crash, generation): puts an unacknowledged message back on its list, without its leaving the server. Returns
 * whether it went to the dead letters, and the message.
 *
 * A message may name a key that is no list. It then goes to the fallback queue, or one message would end every pass with an
 * error.
 */
export const putBack = library({
  needs: ["unacked", "index", "held", "scheduled", "prefix", "fallback"],
  uses: [routing],
  lua: `
local function forget(tag)
  redis.call('HDEL', unacked, tag) redis.call('ZREM', index, tag)
  redis.call('HDEL', held, tag) redis.call('ZREM', scheduled, tag)
end
local function marked(message, crash, generation)
  local top = members(message)
  if not top then return nil end
  local headers = put(member(message, top, 'headers') or '', 'redelivered', 'true')
  local properties = member(message, top, 'properties') or '{}'
  local had = members(properties)
  if not had then properties, had = '{}', {} end
  local info = put(member(properties, had, 'delivery_info') or '', 'redelivered', 'true')
  local crashes = number(properties, had, 'crashes')
  if crash == 'alone' then properties = put(properties, 'crashes', string.format('%d', math.max(0, crashes) + 1)) end
  if crash == 'company' then properties = put(properties, 'suspect', 'true') end
  if generation == 'null' then properties = without(properties, 'generation')
  elseif generation then properties = put(properties, 'generation', generation) end
  properties = put(properties, 'delivery_info', info or '{"redelivered":true}')
  if headers then message = put(message, 'headers', headers) end
  return put(message, 'properties', properties)
end

local function push(how, queue, other, message)
  local pushed = redis.pcall(how, queue, message)
  if type(pushed) == 'table' then redis.call(how, other, message) end
end
-- crash: nil for a message whose time has come, which stays as it is; else 'none', 'alone' or 'company'. A message that cannot
-- carry its crashes goes to the dead letters as it is, or it could end one worker after the other. Returns whether it did,
-- and the message as it was.
local function put_back(tag, crash, generation)
  local message, exchange, key = opened(redis.call('HGET', unacked, tag))
  local back = message
  if crash then back = marked(message, crash, generation) end
  local dead = not back and crash ~= 'none'
  local priority = back and priority_of(back) or 0
  for _, queue in ipairs(queues_of(exchange, key)) do
    if dead then push('LPUSH', prefix .. queue .. '.dead', prefix .. fallback .. '.dead', message)
    else push('RPUSH', list_of(queue, priority), list_of(fallback, priority), back or message) end
  end
  forget(tag)
  return dead, message
end`
})
