import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { take, takenOf } from "./lib/take.ts"

/**
 * Takes the oldest message of the first list that has one, under a tag of this claim alone. A message of more than `most` bytes
 * is not read: it goes to the dead letters of its queue, and what is returned is the message without its body, and its size.
 */
export const claim = script({
  name: "mgClaim",
  keys: { unacked: kombu.unacked, index: kombu.unackedIndex, held: kombu.held },
  args: { boot: "text", tag: "text", most: "number" },
  each: { keys: ["list", "marks", "dead"], args: ["queue"] },
  uses: [take],
  lua: `
for list, marks, dead, queue in each_one() do
  local taken = take(list, marks, queue, boot, tag, function(raw)
    if #raw <= most then return nil end
    local t, head = now(), readable(raw)
    local buried = redis.pcall('LPUSH', dead, raw)
    if type(buried) == 'table' then redis.call('RPUSH', list, raw) return buried end
    return { queue, head or '', decimal(t - (came(raw, marks) or t)), tostring(#raw) }
  end)
  if taken then return taken end
end
return false`,
  replies: "buffers",
  answer: takenOf
})
