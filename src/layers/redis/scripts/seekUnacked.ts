import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { routing } from "./lib/routing.ts"
import { taskId } from "./lib/taskId.ts"

/** The same as `seekWaiting` among the unacknowledged messages, in the order in which a stock worker would restore them. */
export const seekUnacked = script({
  name: "mgSeekUnacked",
  keys: { unacked: kombu.unacked, index: kombu.unackedIndex, held: kombu.held, scheduled: kombu.scheduled },
  args: { fallback: "text", prefix: "text", needle: "text", wanted: "text", from: "number", limit: "number", bytes: "number" },
  uses: [routing, taskId],
  lua: `
local at, left, out = from, bytes, {}
for _, tag in ipairs(redis.call('ZRANGE', index, from, from + limit - 1)) do
  if left <= 0 then return { at, unpack(out) } end
  local entry = redis.call('HGET', unacked, tag) or ''
  if find(entry, needle, 1, true) then
    local message, exchange, key = opened(entry)
    local id = id_if(message, needle, wanted)
    if id then
      local parts = {
        id,
        queues_of(exchange, key)[1],
        redis.call('HGET', held, tag) or '',
        redis.call('ZSCORE', scheduled, tag) or '',
        outline(message)
      }
      for _, part in ipairs(parts) do out[#out + 1] = part end
    end
  end
  at, left = at + 1, left - #entry
end
if at < from + limit then at = -1 end
return { at, unpack(out) }`,
  answer: (reply) => {
    const [next, ...parts] = reply as [number, ...ReadonlyArray<string>] // what the script returns: five of each message
    return {
      /** Where the next page begins; undefined after the last. */
      next: next < 0 ? undefined : next,
      found: Array.from({ length: parts.length / 5 }, (_, n) => {
        const [taskId, queue, boot, due, outline] = parts.slice(n * 5, n * 5 + 5) as [string, string, string, string, string]
        return { taskId, queue, boot, due, outline }
      })
    }
  }
})
