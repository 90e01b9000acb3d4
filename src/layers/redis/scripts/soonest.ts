import type { Scheduled } from "../../../services/QueueInspector.ts"
import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { routing } from "./lib/routing.ts"

/** Parked messages, the one that is due first at the front: `limit` of them, and of about so many `bytes` at most. */
export const soonest = script({
  name: "mgSoonest",
  keys: { unacked: kombu.unacked, scheduled: kombu.scheduled },
  args: { prefix: "text", fallback: "text", limit: "number", bytes: "number" },
  uses: [routing],
  lua: `
local left, out = bytes, {}
local found = redis.call('ZRANGE', scheduled, 0, limit - 1, 'WITHSCORES')
for i = 1, #found, 2 do
  local entry = left > 0 and redis.call('HGET', unacked, found[i])
  if entry then
    local message, exchange, key = opened(entry)
    left = left - #entry
    for _, part in ipairs({ found[i + 1], found[i], queues_of(exchange, key)[1], message }) do out[#out + 1] = part end
  end
end
return out`,
  answer: (reply): ReadonlyArray<Scheduled> => {
    const parts = reply as ReadonlyArray<string> // what the script returns: four of each
    return Array.from({ length: parts.length / 4 }, (_, n) => {
      const [due, tag, queue, raw] = parts.slice(n * 4, n * 4 + 4) as [string, string, string, string]
      return { delivery: { tag, queue, raw }, due: Number(due) * 1000 }
    })
  }
})
