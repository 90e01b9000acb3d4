import { nothing, script } from "./script.ts"
import { settling } from "./lib/reservations.ts"
import { journalKeys, sweeping } from "./lib/journalEntries.ts"
import { remember } from "./lib/remember.ts"

/**
 * A task's request has ended without a picture: it is no longer in flight nor counted, and it has cost `cost` or, where that is
 * not known, what was reserved for it. Its entry stays.
 */
export const closeEntry = script({
  name: "mgClose",
  keys: journalKeys,
  args: { task: "text", cost: "number?", told: "text?" },
  uses: [sweeping, settling, remember],
  lua: `
settle(nil, cost)
local was_open = redis.call('ZREM', open, task) == 1
for _, index in ipairs(indexes) do redis.call('ZREM', index, task) end
if was_open then tell(task, told) end`,
  answer: nothing
})
