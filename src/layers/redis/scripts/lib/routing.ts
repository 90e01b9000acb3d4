import { json } from "./json.ts"

/**
 * How the scripts put an entry of `unacked`, `[message, exchange, routing key]`, back on a list, without its message leaving the
 * server. Of a script that uses this the first KEYS are unacked, unacked_index, held and scheduled, and the first ARGV the
 * prefix of all keys and the queue for a message that does not say where it came from. Lists are found from the entry, so they
 * cannot be among the KEYS; a Redis Cluster is not supported by kombu either.
 *
 * A name in a message may be the name of a key that is no list. Such a message goes to the queue of ours, or one message would
 * end every pass with an error.
 */
export const restore = `${json}
local function forget(tag)
  redis.call('HDEL', KEYS[1], tag) redis.call('ZREM', KEYS[2], tag)
  redis.call('HDEL', KEYS[3], tag) redis.call('ZREM', KEYS[4], tag)
end
local function text_or(value, other) return type(value) == 'string' and value ~= '' and value or other end
local function opened(entry)
  steps = 0
  local start = byte(entry, 1) == 91 and find(entry, '%S', 2)
  local last = start and value_end(entry, start)
  local rest = last and #entry - last < 10000 and '[0' .. sub(entry, last + 1)
  local readable, names = pcall(cjson.decode, rest or '')
  if not readable or type(names) ~= 'table' then return entry, '', ARGV[2] end
  local message = sub(entry, start, last)
  if byte(message, 1) == 34 then
    local is_text, texts = pcall(cjson.decode, '[' .. message .. ']')
    message = is_text and texts[1] or entry
  end
  return message, text_or(names[2], ''), text_or(names[3], ARGV[2])
end

local function escaped(word) return (string.gsub(word, '%p', '%%%0')) end
local function leads(pattern, key)
  local words, wild = {}, 0
  for word in string.gmatch(pattern .. '.', '(.-)%.') do
    local any = word == '*' and '.-[^.]' or word == '#' and '.-'
    if any then wild = wild + 1 end
    words[#words + 1] = any or escaped(word)
  end
  return wild <= 3 and #key <= 255 and find(key, '^' .. table.concat(words, '%.') .. '$') ~= nil
end
local function queues_of(exchange, key)
  if exchange == '' then return { key } end
  local bindings, found = ARGV[1] .. '_kombu.binding.' .. exchange, {}
  local count = redis.pcall('SCARD', bindings)
  if type(count) == 'number' and count <= 1000 then
    for _, binding in ipairs(redis.call('SMEMBERS', bindings)) do
      local bound, pattern, queue = string.match(binding, '^(.-)\\6\\22(.-)\\6\\22(.+)$')
      if queue and (bound == key or pattern ~= '' and leads(bound, key)) then found[#found + 1] = queue end
    end
  end
  return #found > 0 and found or { ARGV[2] }
end

local function number(s, found, key) return found and tonumber(member(s, found, key) or '') or 0 end
local function priority_of(message)
  local top = members(message)
  local properties = top and member(message, top, 'properties')
  return number(properties, properties and members(properties), 'priority')
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

local function list_of(queue, priority)
  local step = priority >= 9 and 9 or priority >= 6 and 6 or priority >= 3 and 3 or 0
  return ARGV[1] .. queue .. (step == 0 and '' or '\\6\\22' .. step)
end
local function push(how, queue, other, message)
  local pushed = redis.pcall(how, queue, message)
  if type(pushed) == 'table' then redis.call(how, other, message) end
end
-- crash: nil for a message whose time has come, which stays as it is; else 'none', 'alone' or 'company'. A message that cannot
-- carry its crashes goes to the dead letters as it is, or it could end one worker after the other. Returns whether it did.
local function put_back(tag, crash, generation)
  local message, exchange, key = opened(redis.call('HGET', KEYS[1], tag))
  local back = message
  if crash then back = marked(message, crash, generation) end
  local dead = not back and crash ~= 'none'
  local priority = back and priority_of(back) or 0
  for _, queue in ipairs(queues_of(exchange, key)) do
    if dead then push('LPUSH', ARGV[1] .. queue .. '.dead', ARGV[1] .. ARGV[2] .. '.dead', message)
    else push('RPUSH', list_of(queue, priority), list_of(ARGV[2], priority), back or message) end
  end
  forget(tag)
  return dead
end`
