import { given, script } from "./script.ts"
import { json } from "./lib/json.ts"
import { letterId } from "./lib/letterId.ts"

/**
 * A page of a queue's dead letters, from `from` on: `limit` of them, and of about so many `bytes` at most. A letter of more than
 * `whole` bytes is shown without the message in it, or as nothing when it is the bare message.
 */
export const pageDeadLetters = script({
  name: "mgDeadPage",
  keys: { dead: given },
  args: { from: "number", limit: "number", bytes: "number", whole: "number" },
  uses: [json, letterId],
  lua: `
local at, left, out = from, bytes, {}
local last = at + limit
while at < last and left > 0 do
  local letter = redis.call('LINDEX', dead, at)
  if not letter then at = -1 break end
  local shown = letter
  if #letter > whole then
    shown = members(letter) and without(without(letter, 'raw'), 'raw_base64') or ''
    if #shown > whole then shown = '' end
  end
  local from_end = redis.call('LLEN', dead) - at
  for _, part in ipairs({ letter_id(letter), tostring(from_end), tostring(#letter), shown }) do out[#out + 1] = part end
  at, left = at + 1, left - #letter
end
if left < 0 then collectgarbage() end
return { at, unpack(out) }`,
  answer: (reply) => {
    const [next, ...parts] = reply as [number, ...ReadonlyArray<string>] // what the script returns: four of each letter
    return {
      /** Where the next page begins; undefined after the last. */
      next: next < 0 ? undefined : next,
      letters: Array.from({ length: parts.length / 4 }, (_, n) => {
        const [id, at, bytes, text] = parts.slice(n * 4, n * 4 + 4) as [string, string, string, string]
        return { id, text, bytes: Number(bytes), at: Number(at) }
      })
    }
  }
})
