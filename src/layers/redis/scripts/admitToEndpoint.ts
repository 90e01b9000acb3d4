import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { closures } from "./lib/closures.ts"

/**
 * Whether a task may submit to an endpoint: yes, as the one that tries a closed one (for `trial` seconds), or not before a time.
 * A closure is forgotten `forget` seconds after its end.
 */
export const admitToEndpoint = script({
  name: "mgEndpointAdmit",
  keys: { endpoints: kombu.endpoints },
  args: { endpoint: "text", trial: "number", forget: "number" },
  uses: [closures],
  lua: `
local t, entry = now(), read_closure(redis.call('HGET', endpoints, endpoint))
if not entry then return { 'open' } end
if entry.till > t then return { 'closed', cjson.encode(entry), decimal(entry.till - t) } end
if entry.till + forget < t then
  redis.call('HDEL', endpoints, endpoint)
  return { 'open' }
end
entry.till = t + trial entry.trial = true
redis.call('HSET', endpoints, endpoint, cjson.encode(entry))
return { 'trial' }`,
  /** The closure's JSON, and how many seconds of it are left. */
  answer: (reply) => reply as readonly ["open"] | readonly ["trial"] | readonly ["closed", entry: string, left: string] // what the script returns
})
