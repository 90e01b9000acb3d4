import { library } from "../script.ts"
import { clock } from "./clock.ts"
import { json } from "./json.ts"
import { marks } from "./marks.ts"

/**
 * take(list, marks, queue, boot, tag, refuses): moves the oldest message of a list to the unacknowledged ones. Returns the queue,
 * the message, how long it has been seen to wait, and ''; or nil when the list is empty. `refuses` is called with the message
 * before anything is written: what it returns, `take` returns and takes nothing.
 *
 * The entry names the queue that the message was taken from. Only the claim knows it: by the sender's exchange and routing key a
 * message that was moved by hand, or routed by a pattern, would go back to another queue. What is no JSON is kept as a JSON
 * string.
 */
export const take = library({
  needs: ["unacked", "index", "held"],
  uses: [clock, marks, json],
  lua: `
local function readable(raw)
  local _, open = find(raw, '^%s*{%s*"body"%s*:%s*"')
  steps = 0
  local close = open and string_end(raw, open)
  local head = close and '{"body":""' .. sub(raw, close + 1) or raw -- kombu writes the body first
  if #head > 1048576 then return members(raw) and '' end
  local is_json, message = pcall(cjson.decode, head)
  return is_json and type(message) == 'table' and head
end
local function take(list, marks, queue, boot, tag, refuses)
  local raw = redis.call('RPOP', list)
  if not raw then return nil end
  local refused = refuses(raw)
  if refused then return refused end
  local t, head = now(), readable(raw)
  local waited = decimal(t - (came(raw, marks) or t))
  redis.call('HSET', unacked, tag, '[' .. (head and raw or cjson.encode(raw)) .. ',"",' .. cjson.encode(queue) .. ']')
  redis.call('ZADD', index, decimal(t), tag)
  redis.call('HSET', held, tag, boot)
  return { queue, raw, waited, '' }
end`
})

/** What `take` returned: false or nothing, or four parts as bytes. */
export interface Taken {
  readonly queue: Buffer
  readonly message: Buffer
  /** Seconds. */
  readonly waited: number
  /** The message's bytes where it is too large to be read, else undefined. */
  readonly tooLarge: number | undefined
}
export const takenOf = (reply: unknown): Taken | undefined => {
  if (!Array.isArray(reply)) return undefined
  const [queue, message, waited, size] = reply as [Buffer, Buffer, Buffer, Buffer] // what `take` returns
  return { queue, message, waited: Number(waited), tooLarge: size.length === 0 ? undefined : Number(size) }
}
