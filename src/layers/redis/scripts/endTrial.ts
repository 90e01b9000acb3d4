import * as kombu from "../../../wire/kombu.ts"
import { nothing, script } from "./script.ts"
import { closures } from "./lib/closures.ts"

/** A trial of a closed endpoint ended without a submit: the next task may try it. */
export const endTrial = script({
  name: "mgEndpointUntried",
  keys: { endpoints: kombu.endpoints },
  args: { endpoint: "text" },
  uses: [closures],
  lua: `
local entry = read_closure(redis.call('HGET', endpoints, endpoint))
if not entry or not entry.trial then return 0 end
entry.till = now()
redis.call('HSET', endpoints, endpoint, cjson.encode(entry))
return 1`,
  answer: nothing
})
