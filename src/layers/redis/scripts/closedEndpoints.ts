import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { closures } from "./lib/closures.ts"

/**
 * The closures that are not forgotten yet, `forget` seconds after their end: of each the endpoint, its JSON, the seconds left.
 */
export const closedEndpoints = script({
  name: "mgEndpointsClosed",
  keys: { endpoints: kombu.endpoints },
  args: { forget: "number" },
  uses: [closures],
  lua: `
local t, out, all = now(), {}, redis.call('HGETALL', endpoints)
for i = 1, #all, 2 do
  local entry = read_closure(all[i + 1])
  if entry and entry.till + forget >= t then
    for _, part in ipairs({ all[i], cjson.encode(entry), decimal(math.max(0, entry.till - t)) }) do out[#out + 1] = part end
  end
end
return out`,
  answer: (reply) => {
    const parts = reply as ReadonlyArray<string> // what the script returns: three of each
    return Array.from({ length: parts.length / 3 }, (_, n) => parts.slice(n * 3, n * 3 + 3) as [string, string, string])
  }
})
