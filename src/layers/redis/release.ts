import { Option } from "effect"
import type { Redis } from "ioredis"
import type { Released } from "../../services/TaskQueue.ts"
import { script } from "./connect.ts"
import * as kombu from "./kombu.ts"
import { now } from "./scripts.ts"

/**
 * KEYS unacked, unacked_index, held, scheduled, leases. ARGV visibility, boot, then the tags this worker holds or has just asked
 * for.
 * Returns when the next message falls due ('' for never), then triples: tag, why, entry. 'lost': its worker is dead; 'astray': a
 * claim of ours whose answer was lost; 'overdue': a stock worker has held it too long; 'due': its time has come.
 */
const astray = `${now}
local t = now()
local out, known, taken = { '' }, {}, {}
for i = 3, #ARGV do known[ARGV[i]] = true end
local function add(tag, why)
  if taken[tag] then return end
  taken[tag] = true
  local entry = redis.call('HGET', KEYS[1], tag)
  if entry then out[#out + 1] = tag out[#out + 1] = why out[#out + 1] = entry
  else redis.call('ZREM', KEYS[2], tag) redis.call('HDEL', KEYS[3], tag) redis.call('ZREM', KEYS[4], tag) end
end
for _, tag in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', text(t), 'LIMIT', 0, 100)) do add(tag, 'due') end
local held = redis.call('HGETALL', KEYS[3])
for i = 1, #held, 2 do
  local tag, boot = held[i], held[i + 1]
  if boot == ARGV[2] then
    if not known[tag] then add(tag, 'astray') end
  else
    local lease = redis.call('ZSCORE', KEYS[5], boot)
    if not lease or tonumber(lease) < t then add(tag, 'lost') end
  end
end
for _, tag in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(t - tonumber(ARGV[1])), 'LIMIT', 0, 100)) do
  if redis.call('HEXISTS', KEYS[3], tag) == 0 and not redis.call('ZSCORE', KEYS[4], tag) then add(tag, 'overdue') end
end
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', text(t - 3600))
local first = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
if first[2] then out[1] = first[2] end
return out`

/** KEYS unacked, unacked_index, held, scheduled, list. ARGV tag, the entry as it was seen, what to push. */
const restore = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1]) redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1]) redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('RPUSH', KEYS[5], ARGV[3])
return 1`

/**
 * Puts back what is due, what dead workers held, and what a claim of `boot`'s took whose answer never came: `mine` are the tags it
 * holds or has just asked for. What does not say where it came from goes to the queue `fallback`.
 */
export const releasing = (redis: Redis, boot: string, visibility: number) => {
  const find = script(redis, "mgAstray", astray)
  const putBack = script(redis, "mgRestore", restore)
  const { held, leases, scheduled, unacked, unackedIndex } = kombu

  /** With no exchange the routing key is the queue; else the exchange's bindings say. */
  const queueOf = async ({ exchange, routingKey }: kombu.Entry, fallback: string): Promise<string> => {
    if (routingKey === undefined) return fallback
    if (exchange === "") return routingKey
    return kombu.boundTo(await redis.smembers(kombu.bindings(exchange)), routingKey) ?? routingKey
  }

  return async (mine: Iterable<string>, fallback: string): Promise<Released> => {
    const reply = await find([unacked, unackedIndex, held, scheduled, leases], [visibility, boot, ...mine])
    const [next, ...found] = reply as [string, ...ReadonlyArray<string>] // what the script returns
    const released = { due: 0, lost: 0 }
    for (let at = 0; at < found.length; at += 3) {
      const [tag, why, triple] = [found[at]!, found[at + 1]!, found[at + 2]!]
      const entry = kombu.entry(triple)
      const back =
        why === "due" ? { raw: entry.raw, priority: kombu.priorityOf(entry.raw) } : kombu.restored(entry.raw, why === "lost")
      const list = kombu.list(await queueOf(entry, fallback), back.priority)
      const done = await putBack([unacked, unackedIndex, held, scheduled, list], [tag, triple, back.raw])
      if (done === 1) released[why === "due" ? "due" : "lost"]++
    }
    return { ...released, nextDue: next === "" ? Option.none() : Option.some(Number(next) * 1000) }
  }
}
