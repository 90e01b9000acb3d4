import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { clock } from "./lib/clock.ts"
import { marks } from "./lib/marks.ts"

/**
 * A worker's heartbeat: renews its lease for `lease` seconds, unless another worker lives under its name, and the score of what
 * it holds (`rest`: the tags), so that no stock worker restores that. `late` is how late a heartbeat may be; `remembered` for how
 * long the dead are shown, undefined not to look for them now (seconds).
 */
export const beat = script({
  name: "mgBeat",
  keys: {
    leases: kombu.leases,
    workers: kombu.workers,
    index: kombu.unackedIndex,
    held: kombu.held,
    steady: kombu.steady
  },
  args: { boot: "text", lease: "number", worker: "text", info: "text", late: "number", remembered: "number?" },
  each: { keys: ["list", "marks"] },
  rest: true,
  uses: [clock, marks],
  lua: `
local function boot_of(other)
  local readable, told = pcall(cjson.decode, other)
  return readable and type(told) == 'table' and type(told.boot) == 'string' and told.boot
end
local t = now()
local other = redis.call('HGET', workers, worker)
local holder = other and boot_of(other)
if holder and holder ~= boot and tonumber(redis.call('ZSCORE', leases, holder) or 0) > t then return { other, decimal(t), 0 } end
local until_now = tonumber(redis.call('ZSCORE', leases, boot) or 0)
local since = tonumber(redis.call('HGET', steady, boot))
if not since or since > t or until_now - lease < t - late then redis.call('HSET', steady, boot, decimal(t)) end
redis.call('ZADD', leases, decimal(t + lease), boot)
if other ~= info then redis.call('HSET', workers, worker, info) end
local others = redis.call('HLEN', held)
for i = rest, #ARGV do
  if redis.call('HGET', held, ARGV[i]) == boot then
    redis.call('ZADD', index, decimal(t), ARGV[i])
    others = others - 1
  end
end
if redis.call('EXISTS', unpack(KEYS, 6)) > 0 then
  for list, marks_of_list in each_one() do mark(list, marks_of_list, t) end
end
if not remembered then return { '', decimal(t), others } end
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', decimal(t - remembered), 'LIMIT', 0, 100)) do
  redis.call('ZREM', leases, dead) redis.call('HDEL', steady, dead)
end
local some = redis.call('HRANDFIELD', workers, 100, 'WITHVALUES')
for i = 1, #some, 2 do
  local dead = boot_of(some[i + 1])
  if dead and not redis.call('ZSCORE', leases, dead) then redis.call('HDEL', workers, some[i]) end
end
return { '', decimal(t), others }`,
  answer: (reply) => {
    const [namesake, now, others] = reply as [string, string, number] // what the script returns
    /**
     * The worker that lives under this name ("" where none does), the server's time (Unix milliseconds), and how many messages
     * others hold.
     */
    return { namesake, now: Number(now) * 1000, others }
  }
})
