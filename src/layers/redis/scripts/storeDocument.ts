import { given, nothing, script } from "./script.ts"
import { storeResult } from "./lib/storeResult.ts"

/**
 * Stores a result, or another document that Celery's result backend keeps, for so many seconds (0: for ever), and publishes it.
 */
export const storeDocument = script({
  name: "mgStore",
  keys: { key: given },
  args: { document: "text", seconds: "number", status: "text?" },
  uses: [storeResult],
  lua: `
store_result(key, document, seconds, status)
return 1`,
  answer: nothing
})
