import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { clock } from "./lib/clock.ts"

/** Takes up debts whose time has come, the oldest first: nobody else does for so many seconds. */
export const takeDebts = script({
  name: "mgTakeDebts",
  keys: { owed: kombu.owed },
  args: { seconds: "number", limit: "number" },
  uses: [clock],
  lua: `
local debts = redis.call('ZRANGEBYSCORE', owed, '-inf', decimal(now()), 'LIMIT', 0, limit)
for _, debt in ipairs(debts) do redis.call('ZADD', owed, decimal(now() + seconds), debt) end
return debts`,
  answer: (reply) => reply
})
