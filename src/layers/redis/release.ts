import { Option } from "effect"
import type { Redis } from "ioredis"
import type { Released } from "../../services/Lease.ts"
import { script } from "./connect.ts"
import * as kombu from "./kombu.ts"
import { restore } from "./restore.ts"
import { now } from "./scripts.ts"

/** What one pass puts back at most, so that other commands have their turn between two: entries, and bytes beyond the first entry. */
const ENTRIES = 100
const BYTES = 8 * 1024 * 1024

/**
 * One pass, in one step. KEYS as for `restore`, then leases, steady, company. ARGV as for `restore`, then boot, visibility, the
 * most entries and bytes, how long a lease lasts, how late a beat may be, how long beats must have been on time, how many tags
 * this worker holds or has just asked for, these tags, and of each message that could not be given
 * back its tag, 'alone' when it crashed its child or 'none', and what is known of its request ('' leaves what the message says).
 * Returns in how many seconds the next message falls due ('' for never), then how many were due, lost and buried, and whether more are left.
 *
 * A worker whose lease was given up or evicted is dead for certain. One whose lease ran out is called dead only by a worker whose
 * own beats have been on time for a while: else it was this worker or Redis that stood still, and the others get a grace.
 */
const pass = `${now}${restore}
local t, boot = now(), ARGV[3]
local entries, bytes = tonumber(ARGV[5]), tonumber(ARGV[6])
local known, failed = {}, {}
for i = 11, 10 + ARGV[10] do known[ARGV[i]] = true end
for i = 11 + ARGV[10], #ARGV, 3 do failed[ARGV[i]] = { ARGV[i + 1], ARGV[i + 2] ~= '' and ARGV[i + 2] or nil } end
local out, chosen, lost, more = {}, {}, 0, 0
local function add(tag, crash, generation)
  if chosen[tag] then return end
  local size = redis.call('HSTRLEN', KEYS[1], tag)
  if size == 0 then forget(tag) return end
  if entries < 1 or bytes < 1 then more = 1 return end
  entries, bytes, chosen[tag] = entries - 1, bytes - size, true
  out[#out + 1] = { tag, crash, generation }
end

local mine, since = redis.call('ZSCORE', KEYS[5], boot), redis.call('HGET', KEYS[6], boot)
local trusted = mine and since and tonumber(mine) - ARGV[7] >= t - ARGV[8] and tonumber(since) <= t - ARGV[9]
local dead, held = {}, redis.call('HGETALL', KEYS[3])
for i = 1, #held, 2 do
  local tag, holder = held[i], held[i + 1]
  if holder == boot then
    if not known[tag] then add(tag, unpack(failed[tag] or { 'none' })) end
  else
    local lease = redis.call('ZSCORE', KEYS[5], holder)
    if not lease or trusted and tonumber(lease) < t then
      dead[holder] = dead[holder] or {}
      if redis.call('HEXISTS', KEYS[1], tag) == 1 then table.insert(dead[holder], tag) else forget(tag) end
    end
  end
end
for holder, tags in pairs(dead) do
  -- How many it held when it was found dead: a later pass finds fewer.
  redis.call('HSETNX', KEYS[7], holder, #tags)
  local crash = redis.call('HGET', KEYS[7], holder) == '1' and 'alone' or 'company'
  local before = #out
  for _, tag in ipairs(tags) do add(tag, crash) end
  if #out - before == #tags then redis.call('HDEL', KEYS[7], holder) end -- all of them go back in this pass
end
if not next(dead) then redis.call('DEL', KEYS[7]) end
lost = #out
local due = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', text(t), 'LIMIT', 0, ENTRIES)
for _, tag in ipairs(due) do add(tag, nil) end
due = #out - lost
for _, tag in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(t - ARGV[4]), 'LIMIT', 0, ENTRIES)) do
  if redis.call('HEXISTS', KEYS[3], tag) == 0 and not redis.call('ZSCORE', KEYS[4], tag) then add(tag, 'none') end
end
lost = #out - due

local buried = 0
for i = #out, 1, -1 do -- the last one pushed is taken first
  if put_back(out[i][1], out[i][2], out[i][3]) then buried = buried + 1 end
end
if bytes < tonumber(ARGV[6]) - 1048576 then collectgarbage() end -- the copies made of large messages
local first = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
return { first[2] and text(first[2] - t) or '', due, lost, buried, more }`.replaceAll("ENTRIES", String(ENTRIES))

interface Pass extends Omit<Released, "nextDue"> {
  /** In how many milliseconds, which both clocks agree on. */
  readonly nextIn: Option.Option<number>
}

/**
 * Puts back what is due, what dead workers held, and what `boot` holds without knowing it: a claim whose answer never came, or a
 * message that could not be given back. `mine` are the tags it holds or has just asked for, `failed` what is to be said of those it
 * could not give back. What does not say where it came from goes to the queue `fallback`.
 */
export const releasing = (redis: Redis, prefix: string, boot: string, visibility: number) => {
  const run = script(redis, "mgRelease", pass)
  const { company, held, LATE, LEASE, leases, scheduled, STEADY, steady, unacked, unackedIndex } = kombu

  return async (mine: ReadonlySet<string>, failed: ReadonlyArray<string>, fallback: string): Promise<Pass> => {
    const reply = await run(
      [unacked, unackedIndex, held, scheduled, leases, steady, company],
      [prefix, fallback, boot, visibility, ENTRIES, BYTES, LEASE, LATE, STEADY, mine.size, ...mine, ...failed]
    )
    const [nextIn, due, lost, buried, more] = reply as [string, number, number, number, number] // what the script returns
    return { due, lost, buried, more: more === 1, nextIn: nextIn === "" ? Option.none() : Option.some(Number(nextIn) * 1000) }
  }
}
