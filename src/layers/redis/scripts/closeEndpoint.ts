import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { closures } from "./lib/closures.ts"

/**
 * Closes an endpoint for `pause` seconds, or, where that is undefined, for a pause that grows from `first` to `longest`. A
 * closure that lasts longer stays. A closure is forgotten `forget` seconds after its end.
 */
export const closeEndpoint = script({
  name: "mgEndpointClose",
  keys: { endpoints: kombu.endpoints },
  args: {
    endpoint: "text",
    reason: "text",
    why: "text",
    pause: "number?",
    first: "number",
    longest: "number",
    forget: "number"
  },
  uses: [closures],
  lua: `
local t, last = now(), read_closure(redis.call('HGET', endpoints, endpoint))
if last and last.till + forget < t then last = nil end
if not pause then
  pause = first
  if last and last.reason == 'refused' then pause = math.min(last.pause * 2, longest) end
end
local entry = { reason = reason, why = why, till = t + pause, pause = pause, trial = false }
if last and not last.trial and last.till > t and (last.reason == 'refused' or last.till >= entry.till) then entry = last end
redis.call('HSET', endpoints, endpoint, cjson.encode(entry))
return { cjson.encode(entry), decimal(entry.till - t) }`,
  /** The JSON of the closure that counts, and how many seconds of it are left. */
  answer: (reply) => reply as readonly [entry: string, left: string] // what the script returns
})
