import { now } from "../redis/scripts.ts"

/**
 * An entry has no time to live of its own, as a server that evicts what has one would take it first. When an entry is over says
 * `kept`, and each script that writes removes some that are.
 *
 * KEYS the entry, `kept`, the requests in flight (scored with the time until which they count), the index of each state (scored with
 * when the entry ends), then what a script names itself.
 */
const common = `${now}
local entry, kept, open = KEYS[1], KEYS[2], KEYS[3]
local indexes = { KEYS[4], KEYS[5], KEYS[6] }
local function sweep(prefix, most)
  local over = redis.call('ZRANGEBYSCORE', kept, '-inf', text(now()), 'LIMIT', 0, most)
  for _, task in ipairs(over) do
    redis.call('DEL', prefix .. task)
    redis.call('ZREM', kept, task)
    redis.call('ZREM', open, task)
  end
  for _, index in ipairs(indexes) do redis.call('ZREMRANGEBYSCORE', index, '-inf', math.floor(now())) end
end`

/** ARGV sha1 of the text that must be there ('' for nothing), the text to write ('' to remove it), seconds to keep it, the task,
 * seconds to count it (0 when it has ended), which index it goes to (0 for none). */
const write = `${common}
local expected, next, keep, task, count, index = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local function isExpected()
  local stored = redis.call('GET', entry)
  return (stored and redis.sha1hex(stored) or '') == expected
end
local function write()
  if next == '' then
    redis.call('DEL', entry)
    redis.call('ZREM', kept, task)
  else
    redis.call('SET', entry, next)
    redis.call('ZADD', kept, text(now() + keep), task)
  end
  if count == 0 then redis.call('ZREM', open, task) else redis.call('ZADD', open, text(now() + count), task) end
  for at, key in ipairs(indexes) do
    if at == index then redis.call('ZADD', key, math.floor(now()) + keep, task) else redis.call('ZREM', key, task) end
  end
  sweep(string.sub(entry, 1, #entry - #task), 10)
end`

/** 'written', or 'changed' when another text is there. */
export const replace = `${write}
if not isExpected() then return 'changed' end
write()
return 'written'`

/**
 * KEYS also the line for room (scored with the time of first asking) and when each in it last asked. ARGV also the limit, PRESENT,
 * GONE, '1' when what is in flight under this id must not be replaced.
 */
export const intend = `${write}
local line, asked = KEYS[7], KEYS[8]
local limit, present, gone, ifEnded = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10] == '1'
local t = now()
if not isExpected() then return 'changed' end
redis.call('ZREMRANGEBYSCORE', open, '-inf', t)
local counts = redis.call('ZSCORE', open, task)
if counts and ifEnded then return 'contended' end
if limit > 0 and not counts then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', asked, '-inf', t - gone)) do
    redis.call('ZREM', line, other) redis.call('ZREM', asked, other)
  end
  redis.call('ZADD', line, 'NX', text(t), task)
  redis.call('ZADD', asked, text(t), task)
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
return 'written'`

/** KEYS the entry. What is written (false for nothing, '' for what is no text at all), its sha1, and the time. */
export const find = `${now}
local stored = redis.pcall('GET', KEYS[1])
if type(stored) == 'table' then stored = '' end
return { stored, stored and redis.sha1hex(stored) or '', text(now()) }`

/** ARGV the task. */
export const close = `${common}
redis.call('ZREM', open, ARGV[1])
for _, index in ipairs(indexes) do redis.call('ZREM', index, ARGV[1]) end`

/** KEYS as above, the entry of no task. How many entries stand in each state. */
export const count = `${common}
sweep(entry, 1000)
local counts = {}
for at, index in ipairs(indexes) do counts[at] = redis.call('ZCOUNT', index, '(' .. text(now()), '+inf') end
return counts`

/** KEYS the requests in flight. How many count now. */
export const inFlight = `${now}
return redis.call('ZCOUNT', KEYS[1], '(' .. text(now()), '+inf')`
