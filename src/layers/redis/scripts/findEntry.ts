import { given, script } from "./script.ts"
import { clock } from "./lib/clock.ts"

/** A journal entry's text (null for none, "" for what is no text at all), its sha1, and the time (Unix seconds). */
export const findEntry = script({
  name: "mgFind",
  keys: { entry: given },
  uses: [clock],
  lua: `
local stored = redis.pcall('GET', entry)
if type(stored) == 'table' then stored = '' end
return { stored, stored and redis.sha1hex(stored) or '', decimal(now()) }`,
  answer: (reply) => reply
})
