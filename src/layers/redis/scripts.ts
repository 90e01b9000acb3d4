/**
 * Each script is one step at the server, so a crash finds all of it done or nothing. Times are the server's own, in seconds,
 * so that workers with different clocks agree. Numbers keep their fraction by `string.format`.
 */
export const now = `
local function now() local t = redis.call('TIME') return tonumber(t[1]) + tonumber(t[2]) / 1000000 end
local function text(number) return string.format('%.6f', number) end`

/**
 * At each beat the newest message of a list is marked with the time, so what was claimed before a mark's message came before
 * that time. A mark whose message somebody else took is passed by when a later one is met, or when the list is empty.
 */
export const marks = `
local function mark(list, marks, t)
  local newest = redis.call('LINDEX', list, 0)
  if not newest then redis.call('DEL', marks) return end
  local print = redis.sha1hex(newest)
  local last = redis.call('LINDEX', marks, 0)
  if not last or string.sub(last, 1, 40) ~= print then redis.call('LPUSH', marks, print .. text(t)) end
end
local function came(raw, marks)
  local oldest = redis.call('LRANGE', marks, -100, -1)
  local print = #oldest > 0 and redis.sha1hex(raw)
  for i = #oldest, 1, -1 do
    if string.sub(oldest[i], 1, 40) == print then
      redis.call('LTRIM', marks, 0, i - 2 - #oldest)
      return tonumber(string.sub(oldest[i], 41))
    end
  end
  return #oldest > 0 and tonumber(string.sub(oldest[#oldest], 41))
end`

/**
 * KEYS unacked, unacked_index, held, then each list and its marks. ARGV boot, a tag for this claim, then each list's queue.
 * Returns queue, message, and how long it has been seen to wait.
 */
export const claim = `${now}${marks}
for i = 4, #KEYS, 2 do
  local raw = redis.call('RPOP', KEYS[i])
  if raw then
    local t, queue = now(), ARGV[i / 2 + 1]
    local seen = came(raw, KEYS[i + 1]) or t
    local exchange, key, shown = '', queue, cjson.encode(raw)
    local readable, message = pcall(cjson.decode, raw)
    if readable and type(message) == 'table' then
      shown = raw
      local properties = message.properties
      if type(properties) == 'table' then
        local info = properties.delivery_info
        if type(info) == 'table' then
          if type(info.exchange) == 'string' then exchange = info.exchange end
          if type(info.routing_key) == 'string' and info.routing_key ~= '' then key = info.routing_key end
        end
      end
    end
    redis.call('HSET', KEYS[1], ARGV[2], '[' .. shown .. ',' .. cjson.encode(exchange) .. ',' .. cjson.encode(key) .. ']')
    redis.call('ZADD', KEYS[2], text(t), ARGV[2])
    redis.call('HSET', KEYS[3], ARGV[2], ARGV[1])
    return { queue, raw, text(t - seen) }
  end
end
return false`

const let_go = `
local function let_go(tag)
  redis.call('HDEL', KEYS[1], tag) redis.call('ZREM', KEYS[2], tag) redis.call('HDEL', KEYS[3], tag)
end`

/** KEYS unacked, unacked_index, held. ARGV boot, tag. 1 when it was ours to acknowledge. */
export const acknowledge = `${let_go}
if redis.call('HGET', KEYS[3], ARGV[2]) ~= ARGV[1] then return 0 end
let_go(ARGV[2])
return 1`

/** KEYS unacked, unacked_index, held, list. ARGV boot, tag, what to push, 'R' (taken next) or 'L' (behind the others). */
export const move = `${let_go}
if redis.call('HGET', KEYS[3], ARGV[2]) ~= ARGV[1] then return 0 end
let_go(ARGV[2])
redis.call(ARGV[4] == 'R' and 'RPUSH' or 'LPUSH', KEYS[4], ARGV[3])
return 1`

/**
 * KEYS unacked, unacked_index, held, scheduled. ARGV boot, tag, next tag, its entry ('' keeps the old one), due, visibility.
 * The index gets the score at which a stock worker would restore it exactly when it is due.
 */
export const hold = `${let_go}
if redis.call('HGET', KEYS[3], ARGV[2]) ~= ARGV[1] then return 0 end
local entry = ARGV[4]
if entry == '' then entry = redis.call('HGET', KEYS[1], ARGV[2]) end
let_go(ARGV[2])
redis.call('HSET', KEYS[1], ARGV[3], entry)
redis.call('ZADD', KEYS[2], string.format('%.6f', tonumber(ARGV[5]) - tonumber(ARGV[6])), ARGV[3])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[3])
return 1`

/**
 * KEYS the marker, then each message's bindings and list. ARGV how long to keep the marker, its note, then each message's binding
 * and text. Returns the note kept. A producer of kombu declares the queue it sends to.
 */
export const publishOnce = `
if not redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1], 'NX') then return redis.call('GET', KEYS[1]) end
for i = 2, #KEYS, 2 do
  redis.call('SADD', KEYS[i], ARGV[i + 1])
  redis.call('LPUSH', KEYS[i + 1], ARGV[i + 2])
end
return ARGV[2]`

/** KEYS dead letters, list. ARGV the letter, what to push ('' for nothing). */
export const exhume = `
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
if ARGV[2] ~= '' then redis.call('LPUSH', KEYS[2], ARGV[2]) end
return 1`
