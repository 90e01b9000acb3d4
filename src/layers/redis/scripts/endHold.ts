import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { remember, toldArguments } from "./lib/remember.ts"
import { storeResult } from "./lib/storeResult.ts"
import { take, takenOf } from "./lib/take.ts"

/**
 * Ends the hold on a message: stores its task's result, acknowledges the message or parks it until `due` (Unix seconds), and
 * claims the next one for the same slot. `visibility` is in seconds. Without a `result` key none is stored; without `nextTag`
 * nothing is claimed. `resultsDb` and `queueDb` are given where both are databases of one server.
 *
 * A result that is refused leaves everything as it was. A message that must run alone, or is too large to be read, stays in its
 * list.
 */
export const endHold = script({
  name: "mgSettle",
  keys: { unacked: kombu.unacked, index: kombu.unackedIndex, held: kombu.held, scheduled: kombu.scheduled, lives: kombu.lives },
  args: {
    tag: "text",
    due: "text?",
    visibility: "number",
    boot: "text",
    nextTag: "text?",
    most: "number",
    result: "text?",
    document: "text?",
    seconds: "number?",
    status: "text?",
    resultsDb: "text?",
    queueDb: "text?",
    ...toldArguments
  },
  each: { keys: ["list", "marks"], args: ["queue"] },
  uses: [take, storeResult, remember],
  lua: `
if result then
  if resultsDb then redis.call('SELECT', resultsDb) end
  local stored, why = pcall(store_result, result, document, seconds, status)
  if resultsDb then redis.call('SELECT', queueDb) end
  if not stored then return redis.error_reply('RESULT ' .. (type(why) == 'table' and why.err or tostring(why))) end
end
-- The tag is of one claim alone: while it is held, it is this worker that holds it.
if redis.call('HDEL', held, tag) == 1 then
  if due then
    redis.call('ZADD', index, decimal(tonumber(due) - visibility), tag)
    redis.call('ZADD', scheduled, due, tag)
  else
    redis.call('HDEL', unacked, tag)
    redis.call('ZREM', index, tag)
  end
  tell(task, told)
end
if not nextTag then return false end
local function left(raw, list)
  if #raw <= most and not find(raw, '"crashes"', 1, true) and not find(raw, '"suspect"', 1, true) then return nil end
  redis.call('RPUSH', list, raw)
  return true
end
for list, marks, queue in each_one() do
  -- The hold has ended, whatever is wrong with a list: the next claim tells that.
  local is_list, taken = pcall(take, list, marks, queue, boot, nextTag, function(raw) return left(raw, list) end)
  if not is_list or taken == true then return false end
  if taken then return taken end
end
return false`,
  replies: "buffers",
  answer: takenOf
})
