import * as kombu from "../../../wire/kombu.ts"
import { given, script } from "./script.ts"
import { clock } from "./lib/clock.ts"

/**
 * Sends a batch's messages, once: returns the note that was kept when it was sent. `older` is the marker that an older worker
 * would have set. A marker has no time to live of its own, as a server that evicts what has one would take it first: `kept` says
 * until when it is kept (`keep` seconds).
 *
 * A producer of kombu declares the queue that it sends to. Redis takes nothing back that a script has written before it fails, so
 * each key is looked at first: a client may call a queue whatever it likes.
 */
export const publishOnce = script({
  name: "mgPublishOnce",
  keys: { marker: given, older: given, kept: kombu.onceKept },
  args: { keep: "number", note: "text", batch: "text" },
  each: { keys: ["bindings", "list"], args: ["binding", "message"] },
  uses: [clock],
  lua: `
local sent = redis.call('GET', marker) or redis.call('GET', older)
if sent then return sent end
local function must_be(key, kind)
  local found = redis.call('TYPE', key).ok
  return (found ~= 'none' and found ~= kind) and redis.error_reply('WRONGTYPE ' .. key .. ' is no queue')
end
for bindings, list in each_one() do
  local wrong = must_be(bindings, 'set') or must_be(list, 'list')
  if wrong then return wrong end
end
redis.call('SET', marker, note)
redis.call('ZADD', kept, decimal(now() + keep), batch)
local prefix = string.sub(marker, 1, #marker - #batch)
for _, over in ipairs(redis.call('ZRANGEBYSCORE', kept, '-inf', decimal(now()), 'LIMIT', 0, 10)) do
  redis.call('DEL', prefix .. over)
  redis.call('ZREM', kept, over)
end
for bindings, list, binding, message in each_one() do
  redis.call('SADD', bindings, binding)
  redis.call('LPUSH', list, message)
end
return note`,
  answer: String
})
