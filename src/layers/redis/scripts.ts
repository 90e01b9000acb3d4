import { json } from "./json.ts"
import { storeResult } from "./results.ts"
import { restore } from "./restore.ts"

/**
 * Each script is one step at the server, so a crash finds all of it done or nothing. Times are the server's own, in seconds,
 * so that workers with different clocks agree. Numbers keep their fraction by `string.format`.
 */
export const now = `
local function now() local t = redis.call('TIME') return tonumber(t[1]) + tonumber(t[2]) / 1000000 end
local function text(number) return string.format('%.6f', number) end`

/**
 * At each beat the newest message of a list is marked with the time, so what was claimed before a mark's message came before
 * that time. A mark is a digest of the message's end, where its tag is, the time, and how many messages had come by then: with it
 * a mark whose message somebody else took is known by the list being shorter, and goes.
 */
export const marks = `
local function print_of(message) return redis.sha1hex(string.sub(message, -4096) .. #message) end
local function read_mark(mark)
  local at, count = string.match(mark, '^(%S+) ?(%d*)', 41)
  return string.sub(mark, 1, 40), tonumber(at), tonumber(count) or 0
end
local function mark(list, marks, t)
  local length, newest = redis.call('LLEN', list), redis.call('LINDEX', list, 0)
  if not newest then redis.call('DEL', marks) return end
  local print, last, count = print_of(newest), redis.call('LINDEX', marks, 0), 1
  if last then
    local before, _, had = read_mark(last)
    local came, bytes, other = 0, 0, newest
    -- Where so much has come that it is not looked through, at least this much has.
    while other and print_of(other) ~= before and came < 1000 and bytes < 4194304 do
      came, bytes = came + 1, bytes + #other
      other = redis.call('LINDEX', list, came)
    end
    count = had + came
  end
  if not last or count > select(3, read_mark(last)) then redis.call('LPUSH', marks, print .. text(t) .. ' ' .. count) end
  for _ = 1, 1000 do
    local oldest = redis.call('LINDEX', marks, -1)
    if not oldest or count - select(3, read_mark(oldest)) < length then break end
    redis.call('RPOP', marks)
  end
end
local function came(raw, marks)
  local oldest = redis.call('LRANGE', marks, -100, -1)
  local print = #oldest > 0 and print_of(raw)
  for i = #oldest, 1, -1 do
    local marked, at = read_mark(oldest[i])
    if marked == print then
      redis.call('LTRIM', marks, 0, i - 2 - #oldest)
      return at
    end
  end
  return #oldest > 0 and select(2, read_mark(oldest[#oldest]))
end`

/**
 * take(list, marks, queue, boot, tag): moves the oldest message of a list to the unacknowledged. Returns queue, message, and how long
 * it has been seen to wait; or nothing. `refuses` is called with the message before anything is written: what it returns, `take`
 * returns in place of taking the message.
 *
 * The entry says the queue it was taken from, which only the claim knows: by the sender's exchange and routing key a message that
 * was moved by hand, or routed by a pattern, would go back to another. What is not JSON lies there as a string.
 */
const take = `${now}${marks}${json}
local function readable(raw)
  local _, open = find(raw, '^%s*{%s*"body"%s*:%s*"')
  steps = 0
  local close = open and string_end(raw, open)
  local head = close and '{"body":""' .. sub(raw, close + 1) or raw -- kombu writes the body first
  if #head > 1048576 then return members(raw) and '' end
  local is_json, message = pcall(cjson.decode, head)
  return is_json and type(message) == 'table' and head
end
local function take(list, marks, queue, boot, tag, refuses)
  local raw = redis.call('RPOP', list)
  if not raw then return nil end
  local refused = refuses(raw)
  if refused then return refused end
  local t, head = now(), readable(raw)
  local waited = text(t - (came(raw, marks) or t))
  redis.call('HSET', KEYS[1], tag, '[' .. (head and raw or cjson.encode(raw)) .. ',"",' .. cjson.encode(queue) .. ']')
  redis.call('ZADD', KEYS[2], text(t), tag)
  redis.call('HSET', KEYS[3], tag, boot)
  return { queue, raw, waited, '' }
end`

/**
 * KEYS unacked, unacked_index, held, then each list, its marks and the dead letters of its queue. ARGV boot, a tag for this claim,
 * the most bytes that are read, then each list's queue. Returns what `take` does, and '' or, when the message is too large, its
 * bytes: then it lies with the dead letters, and the message is what it says without its body.
 */
export const claim = `${take}
local boot, tag, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
for i = 4, #KEYS, 3 do
  local list, marks, dead, queue = KEYS[i], KEYS[i + 1], KEYS[i + 2], ARGV[(i - 4) / 3 + 4]
  local taken = take(list, marks, queue, boot, tag, function(raw)
    if #raw <= most then return nil end
    local t, head = now(), readable(raw)
    local buried = redis.pcall('LPUSH', dead, raw)
    if type(buried) == 'table' then redis.call('RPUSH', list, raw) return buried end
    return { queue, head or '', text(t - (came(raw, marks) or t)), tostring(#raw) }
  end)
  if taken then return taken end
end
return false`

/**
 * Ends a hold, and claims the next message for the same slot. KEYS unacked, unacked_index, held, scheduled, then each list and its
 * marks. ARGV the tag that is given up; until when its message is parked ('' acknowledges it); visibility; boot; a tag for the next
 * claim ('' takes nothing); the most bytes that are read; the result's key ('' stores none), document, seconds to keep it and state,
 * the databases of results and queue ('' where both are one); then each list's queue. Returns what `take` does.
 *
 * A result that is refused leaves everything as it was. A message that must run alone, or is too large to be read, stays where it is.
 */
export const settle = `${take}${storeResult}
local unacked, index, held, scheduled = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local tag, due, visibility, boot, next_tag, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local result, document, seconds, status, results_db, queue_db = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
if result ~= '' then
  if results_db ~= '' then redis.call('SELECT', results_db) end
  local stored, why = pcall(store_result, result, document, seconds, status)
  if results_db ~= '' then redis.call('SELECT', queue_db) end
  if not stored then return redis.error_reply('RESULT ' .. (type(why) == 'table' and why.err or tostring(why))) end
end
-- The tag is of one claim alone: while it is held, it is this worker that holds it.
if redis.call('HDEL', held, tag) == 1 then
  if due == '' then
    redis.call('HDEL', unacked, tag)
    redis.call('ZREM', index, tag)
  else
    redis.call('ZADD', index, string.format('%.6f', tonumber(due) - tonumber(visibility)), tag)
    redis.call('ZADD', scheduled, due, tag)
  end
end
if next_tag == '' then return false end
local function left(raw, list)
  if #raw <= most and not find(raw, '"crashes"', 1, true) and not find(raw, '"suspect"', 1, true) then return nil end
  redis.call('RPUSH', list, raw)
  return true
end
for i = 5, #KEYS, 2 do
  local list = KEYS[i]
  -- What was given up is given up, whatever is wrong with a list: the next claim says so.
  local is_list, taken = pcall(take, list, KEYS[i + 1], ARGV[(i - 5) / 2 + 13], boot, next_tag, function(raw) return left(raw, list) end)
  if not is_list or taken == true then return false end
  if taken then return taken end
end
return false`

const let_go = `
local function let_go(tag)
  redis.call('HDEL', KEYS[1], tag) redis.call('ZREM', KEYS[2], tag) redis.call('HDEL', KEYS[3], tag)
end`

/** KEYS unacked, unacked_index, held, dead letters. ARGV boot, tag, the letter. */
export const bury = `${let_go}
if redis.call('HGET', KEYS[3], ARGV[2]) ~= ARGV[1] then return 0 end
redis.call('LPUSH', KEYS[4], ARGV[3])
let_go(ARGV[2])
return 1`

/**
 * KEYS and ARGV as for `restore`, then ARGV boot, tag, 'none' or 'alone' (a crash is counted), and what is known of its request
 * ('' leaves what the message says).
 */
export const handBack = `${restore}
if redis.call('HGET', KEYS[3], ARGV[4]) ~= ARGV[3] then return 0 end
put_back(ARGV[4], ARGV[5], ARGV[6] ~= '' and ARGV[6] or nil)
return 1`

/**
 * KEYS unacked, unacked_index, held, scheduled. ARGV boot, tag, next tag, its entry, due, visibility. The index gets the score at
 * which a stock worker would restore it exactly when it is due.
 */
export const retry = `${let_go}
if redis.call('HGET', KEYS[3], ARGV[2]) ~= ARGV[1] then return 0 end
let_go(ARGV[2])
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
redis.call('ZADD', KEYS[2], string.format('%.6f', tonumber(ARGV[5]) - tonumber(ARGV[6])), ARGV[3])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[3])
return 1`

/**
 * KEYS the marker, the one that an older worker would have set, `kept`, then each message's bindings and list. ARGV seconds to keep
 * the marker, its note, its name in `kept`, then each message's binding and text. Returns the note kept. A marker has no time to
 * live of its own, as a server that evicts what has one would take it first. A producer of kombu declares the queue it sends to.
 * Redis takes nothing back that a script has written before it fails, so that each key is looked at first: a client may call a queue
 * whatever it likes.
 */
export const publishOnce = `${now}
local marker, older, kept = KEYS[1], KEYS[2], KEYS[3]
local keep, note, name = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local told = redis.call('GET', marker) or redis.call('GET', older)
if told then return told end
for i = 4, #KEYS do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'none' and kind ~= (i % 2 == 0 and 'set' or 'list') then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is no queue')
  end
end
redis.call('SET', marker, note)
redis.call('ZADD', kept, text(now() + keep), name)
local prefix = string.sub(marker, 1, #marker - #name)
for _, over in ipairs(redis.call('ZRANGEBYSCORE', kept, '-inf', text(now()), 'LIMIT', 0, 10)) do
  redis.call('DEL', prefix .. over)
  redis.call('ZREM', kept, over)
end
for i = 4, #KEYS, 2 do
  redis.call('SADD', KEYS[i], ARGV[i])
  redis.call('LPUSH', KEYS[i + 1], ARGV[i + 1])
end
return note`
