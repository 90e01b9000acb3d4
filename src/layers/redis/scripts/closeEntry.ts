import { nothing, script } from "./script.ts"
import { journalKeys, sweeping } from "./lib/journalEntries.ts"

/** A task's request has ended without a picture: it is no longer in flight nor counted. Its entry stays. */
export const closeEntry = script({
  name: "mgClose",
  keys: journalKeys,
  args: { task: "text" },
  uses: [sweeping],
  lua: `
redis.call('ZREM', open, task)
for _, index in ipairs(indexes) do redis.call('ZREM', index, task) end`,
  answer: nothing
})
