import { given, script } from "./script.ts"

/**
 * Stock's pipeline for a chord part as one step. `place` is that in the header; `begins` how each member of this task begins;
 * `seconds` how long the parts are kept (0: for ever); `ordered` ("1" or "0") whether they are kept in the order of the header or
 * of their ends, which parts that are there already have decided. Returns the members when none is missing any more.
 */
export const addChordPart = script({
  name: "mgAddPart",
  keys: { parts: given, added: given, size: given },
  args: { place: "text", member: "text", begins: "text", seconds: "number", ordered: "text" },
  lua: `
local kind = redis.call('TYPE', parts).ok
local list = kind == 'list' or (kind == 'none' and ordered == '0')
local function all(from, to)
  return list and redis.call('LRANGE', parts, 0, -1) or redis.call('ZRANGEBYSCORE', parts, from, to)
end
local known = false
for _, old in ipairs(all(place, place)) do
  if string.sub(old, 1, #begins) == begins then
    -- delivered twice: it counts once, and its success stays
    if string.sub(old, #begins + 1, #begins + 9) == '"SUCCESS"' then known = true
    elseif list then redis.call('LREM', parts, 1, old)
    else redis.call('ZREM', parts, old) end
  end
end
if not known and list then redis.call('RPUSH', parts, member) end
if not known and not list then redis.call('ZADD', parts, place, member) end
if seconds ~= 0 then for i = 1, 3 do redis.call('EXPIRE', KEYS[i], seconds) end end
local wanted = tonumber(redis.call('GET', size) or '')
local count = redis.call(list and 'LLEN' or 'ZCARD', parts)
if not wanted or count < wanted + (tonumber(redis.call('GET', added) or '') or 0) then return false end
return all('-inf', '+inf')`,
  answer: (reply): ReadonlyArray<unknown> | undefined => (Array.isArray(reply) ? reply : undefined)
})
