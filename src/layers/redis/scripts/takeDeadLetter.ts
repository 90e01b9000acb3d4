import * as kombu from "../../../wire/kombu.ts"
import { given, script } from "./script.ts"
import { letterId } from "./lib/letterId.ts"
import { remember, toldArguments } from "./lib/remember.ts"
import { routing } from "./lib/routing.ts"

/**
 * Finds a dead letter by its id, and reads it (`read`), removes it (`drop`), or removes it and puts on its queue the letter
 * itself (`requeue`) or the message given (`push`), without what was held against it. `place` is where it lay, counted from the
 * end: letters are put in at the other end, so it lies there still, or a little nearer to the end where some behind it were
 * removed.
 */
export const takeDeadLetter = script({
  name: "mgExhume",
  keys: { dead: given, lives: kombu.lives },
  args: { prefix: "text", fallback: "text", id: "text", place: "number", action: "text", message: "text", ...toldArguments },
  uses: [routing, letterId, remember],
  lua: `
local length = redis.call('LLEN', dead)
local letter, at
for back = place, math.max(1, place - 1000), -1 do
  local candidate = back <= length and redis.call('LINDEX', dead, -back)
  if candidate and letter_id(candidate) == id then letter, at = candidate, -back break end
end
if not letter or action == 'read' then return letter or false end
if action ~= 'drop' then
  local revived = action == 'push' and message or letter
  local top = members(revived)
  local properties = top and member(revived, top, 'properties')
  if properties and members(properties) then
    revived = put(revived, 'properties', without(without(properties, 'crashes'), 'suspect'))
  end
  redis.call('LPUSH', list_of(fallback, priority_of(revived)), revived)
end
redis.call('LSET', dead, at, 'removed:' .. id)
redis.call('LREM', dead, -1, 'removed:' .. id)
tell(task, told)
return 1`,
  replies: "buffers",
  /** The letter that was read, whether one was removed. */
  answer: (reply) => ({ letter: Buffer.isBuffer(reply) ? reply : undefined, removed: reply === 1 })
})
