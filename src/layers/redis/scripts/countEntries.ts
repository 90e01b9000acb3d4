import { script } from "./script.ts"
import { journalKeys, sweeping } from "./lib/journalEntries.ts"

/** How many journal entries stand in each state. `entry` is the key of the entry of no task, which all others begin with. */
export const countEntries = script({
  name: "mgCount",
  keys: journalKeys,
  uses: [sweeping],
  lua: `
sweep(entry, 1000)
local counts = {}
for at, index in ipairs(indexes) do counts[at] = redis.call('ZCOUNT', index, '(' .. decimal(now()), '+inf') end
return counts`,
  answer: (reply) => reply
})
