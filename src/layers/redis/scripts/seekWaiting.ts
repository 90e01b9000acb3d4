import { given, script } from "./script.ts"
import { taskId } from "./lib/taskId.ts"

/**
 * Looks through the messages of a list that come after the first `from`, for tasks whose id begins with `prefix`: `limit` messages,
 * and about so many `bytes`.
 */
export const seekWaiting = script({
  name: "mgSeekWaiting",
  keys: { list: given },
  args: { from: "number", limit: "number", bytes: "number", needle: "text", prefix: "text" },
  uses: [taskId],
  lua: `
local at, left, out = from, bytes, {}
while at < from + limit and left > 0 do
  local message = redis.call('LINDEX', list, -1 - at)
  if not message then return { -1, unpack(out) } end
  local id = id_if(message, needle, prefix)
  if id then for _, part in ipairs({ id, tostring(at), outline(message) }) do out[#out + 1] = part end end
  at, left = at + 1, left - #message
end
if left < 0 then collectgarbage() end
return { at, unpack(out) }`,
  answer: (reply) => {
    const [next, ...parts] = reply as [number, ...ReadonlyArray<string>] // what the script returns: three of each message
    return {
      /** Where the next page begins; undefined after the last. */
      next: next < 0 ? undefined : next,
      found: Array.from({ length: parts.length / 3 }, (_, n) => {
        const [taskId, before, outline] = parts.slice(n * 3, n * 3 + 3) as [string, string, string]
        return { taskId, before: Number(before), outline }
      })
    }
  }
})
