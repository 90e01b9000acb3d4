import { library } from "../script.ts"
import { json } from "./json.ts"

/**
 * Where a message goes. `prefix` is that of all keys, `fallback` the queue for a message that does not say where it came from.
 * Lists are found from the message, so they cannot be among the KEYS; a Redis Cluster is not supported by kombu either.
 *
 * opened(entry): message, exchange and routing key of an entry of the unacknowledged, `[message, exchange, routing key]`.
 * queues_of(exchange, key): the queues that are bound to it. priority_of(message). list_of(queue, priority): the list's key.
 */
export const routing = library({
  needs: ["prefix", "fallback"],
  uses: [json],
  lua: `
local function text_or(value, other) return type(value) == 'string' and value ~= '' and value or other end
local function opened(entry)
  steps = 0
  local start = byte(entry, 1) == 91 and find(entry, '%S', 2)
  local last = start and value_end(entry, start)
  local rest = last and #entry - last < 10000 and '[0' .. sub(entry, last + 1)
  local readable, names = pcall(cjson.decode, rest or '')
  if not readable or type(names) ~= 'table' then return entry, '', fallback end
  local message = sub(entry, start, last)
  if byte(message, 1) == 34 then
    local is_text, texts = pcall(cjson.decode, '[' .. message .. ']')
    message = is_text and texts[1] or entry
  end
  return message, text_or(names[2], ''), text_or(names[3], fallback)
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
  local bindings, found = prefix .. '_kombu.binding.' .. exchange, {}
  local count = redis.pcall('SCARD', bindings)
  if type(count) == 'number' and count <= 1000 then
    for _, binding in ipairs(redis.call('SMEMBERS', bindings)) do
      local bound, pattern, queue = string.match(binding, '^(.-)\\6\\22(.-)\\6\\22(.+)$')
      if queue and (bound == key or pattern ~= '' and leads(bound, key)) then found[#found + 1] = queue end
    end
  end
  return #found > 0 and found or { fallback }
end

local function number(s, found, key) return found and tonumber(member(s, found, key) or '') or 0 end
local function priority_of(message)
  local top = members(message)
  local properties = top and member(message, top, 'properties')
  return number(properties, properties and members(properties), 'priority')
end
local function list_of(queue, priority)
  local step = priority >= 9 and 9 or priority >= 6 and 6 or priority >= 3 and 3 or 0
  return prefix .. queue .. (step == 0 and '' or '\\6\\22' .. step)
end`
})
