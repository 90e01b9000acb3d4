import * as kombu from "../../../wire/kombu.ts"
import { CIRCUIT } from "../../../services/Endpoints.ts"
import { script } from "./script.ts"

/**
 * Whether nothing holds up a submit: the endpoint is not closed, and the circuit breaker, as Effect's store keeps it, has no
 * failures.
 */
export const isEndpointClear = script({
  name: "mgEndpointIsClear",
  keys: { endpoints: kombu.endpoints, circuit: kombu.circuit(CIRCUIT) },
  args: { endpoint: "text" },
  lua: `
if redis.call('HEXISTS', endpoints, endpoint) == 1 then return 0 end
local stored = redis.call('HMGET', circuit, 'state', 'streak')
if not stored[1] then return 1 end
return stored[1] == 'Closed' and (stored[2] or '0') == '0' and 1 or 0`,
  answer: (reply) => reply === 1
})
