import * as kombu from "../../../wire/kombu.ts"
import { given, script } from "./script.ts"

/**
 * Puts an answer to a control command on a reply list, if the list is bound and so is read: without a binding nobody would ever
 * read or remove the answer. A list that nobody empties expires. An answer goes to a reply list alone, whatever its message says:
 * another list would be somebody's tasks, and expire with them. Returns whether it was bound.
 */
export const writeReply = script({
  name: "mgReply",
  keys: { bindings: kombu.bindings(kombu.replyExchange), list: given },
  args: { binding: "text", answer: "text" },
  lua: `
if redis.call('SISMEMBER', bindings, binding) == 0 then return 0 end
redis.call('LPUSH', list, answer)
redis.call('EXPIRE', list, 300)
return 1`,
  answer: (reply) => reply === 1
})
