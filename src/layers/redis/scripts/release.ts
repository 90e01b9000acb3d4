import { Option } from "effect"
import type { Released } from "../../../services/Lease.ts"
import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { clock } from "./lib/clock.ts"
import { putBack } from "./lib/putBack.ts"
import { remember } from "./lib/remember.ts"
import { taskId } from "./lib/taskId.ts"

/**
 * What one pass puts back at most, so that other commands have their turn between two: entries, and bytes beyond the first entry.
 */
const ENTRIES = 100
const BYTES = 8 * 1024 * 1024

export interface Pass extends Omit<Released, "nextDue"> {
  /** In how many milliseconds the next message falls due, which both clocks agree on. */
  readonly nextIn: Option.Option<number>
}

/**
 * One pass: puts back what is due, what dead workers held, and what `boot` holds without knowing it, which is a claim whose
 * answer never came, or a message that could not be given back. `rest`: first the `known` tags that this worker holds or has just
 * asked for, then of each message that it could not give back its tag, `alone` when it crashed its child or `none`, and what is
 * known of its request ("" leaves what the message says). Times are in seconds.
 *
 * A worker whose lease was given up or evicted is dead for certain. One whose lease ran out is called dead only by a worker whose
 * own heartbeats have been on time for a while: else it was this worker or Redis that stood still, and the others get a grace.
 */
export const release = script({
  name: "mgRelease",
  keys: {
    unacked: kombu.unacked,
    index: kombu.unackedIndex,
    held: kombu.held,
    scheduled: kombu.scheduled,
    leases: kombu.leases,
    steady: kombu.steady,
    company: kombu.company,
    workers: kombu.workers,
    lives: kombu.lives
  },
  args: {
    prefix: "text",
    fallback: "text",
    boot: "text",
    visibility: "number",
    lease: "number",
    late: "number",
    steadyFor: "number",
    known: "number"
  },
  rest: true,
  uses: [clock, putBack, remember, taskId],
  lua: `
local t = now()
local entries, bytes = ${ENTRIES}, ${BYTES}
local mine, failed = {}, {}
for i = rest, rest + known - 1 do mine[ARGV[i]] = true end
for i = rest + known, #ARGV, 3 do failed[ARGV[i]] = { ARGV[i + 1], ARGV[i + 2] ~= '' and ARGV[i + 2] or nil } end
local out, chosen, lost, more = {}, {}, 0, 0
local function add(tag, crash, generation, holder)
  if chosen[tag] then return end
  local size = redis.call('HSTRLEN', unacked, tag)
  if size == 0 then forget(tag) return end
  if entries < 1 or bytes < 1 then more = 1 return end
  entries, bytes, chosen[tag] = entries - 1, bytes - size, true
  out[#out + 1] = { tag, crash, generation, holder }
end

local until_now, since = redis.call('ZSCORE', leases, boot), redis.call('HGET', steady, boot)
local trusted = until_now and since and tonumber(until_now) - lease >= t - late and tonumber(since) <= t - steadyFor
local dead, holders = {}, redis.call('HGETALL', held)
for i = 1, #holders, 2 do
  local tag, holder = holders[i], holders[i + 1]
  if holder == boot then
    if not mine[tag] then add(tag, (failed[tag] or { 'none' })[1], (failed[tag] or {})[2], holder) end
  else
    local its_lease = redis.call('ZSCORE', leases, holder)
    if not its_lease or trusted and tonumber(its_lease) < t then
      dead[holder] = dead[holder] or {}
      if redis.call('HEXISTS', unacked, tag) == 1 then table.insert(dead[holder], tag) else forget(tag) end
    end
  end
end
for holder, tags in pairs(dead) do
  -- How many it held when it was found dead: a later pass finds fewer.
  redis.call('HSETNX', company, holder, #tags)
  local crash = redis.call('HGET', company, holder) == '1' and 'alone' or 'company'
  local before = #out
  for _, tag in ipairs(tags) do add(tag, crash, nil, holder) end
  if #out - before == #tags then redis.call('HDEL', company, holder) end -- all of them go back in this pass
end
if not next(dead) then redis.call('DEL', company) end
lost = #out
local due = redis.call('ZRANGEBYSCORE', scheduled, '-inf', decimal(t), 'LIMIT', 0, ${ENTRIES})
for _, tag in ipairs(due) do add(tag, nil) end
due = #out - lost
for _, tag in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', decimal(t - visibility), 'LIMIT', 0, ${ENTRIES})) do
  if redis.call('HEXISTS', held, tag) == 0 and not redis.call('ZSCORE', scheduled, tag) then add(tag, 'none') end
end
lost = #out - due

local names
local function name_of(boot)
  if not names then
    names = {}
    for _, text in ipairs(redis.call('HVALS', workers)) do
      local readable, info = pcall(cjson.decode, text)
      if readable and type(info) == 'table' and info.boot then names[info.boot] = info.name end
    end
  end
  return names[boot] or cjson.null
end
local buried = 0
for i = #out, 1, -1 do -- the last one pushed is taken first
  local tag, crash, generation, holder = unpack(out[i], 1, 4)
  local is_buried, message = put_back(tag, crash, generation)
  if is_buried then buried = buried + 1 end
  if crash then
    local worker = holder and name_of(holder) or cjson.null
    tell(task_id(message), '\\n' .. cjson.encode({ _tag = 'Lost', worker = worker, crash = crash }))
  end
end
if bytes < ${BYTES - 1024 * 1024} then collectgarbage() end -- the copies made of large messages
local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
return { first[2] and decimal(first[2] - t) or '', due, lost, buried, more }`,
  answer: (reply): Pass => {
    const [nextIn, due, lost, buried, more] = reply as [string, number, number, number, number] // what the script returns
    return { due, lost, buried, more: more === 1, nextIn: nextIn === "" ? Option.none() : Option.some(Number(nextIn) * 1000) }
  }
})
