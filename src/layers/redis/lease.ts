import { Clock, Effect, Option, Schema } from "effect"
import { Lease, WorkerInfo } from "../../services/Lease.ts"
import { script } from "./connect.ts"
import * as kombu from "./kombu.ts"
import { releasing } from "./release.ts"
import { marks, now } from "./scripts.ts"
import { attempt, type Shared, told } from "./shared.ts"

/**
 * KEYS leases, workers, unacked_index, held, steady, then each list and its marks. ARGV boot, seconds, name, info, how late a beat
 * may be, for how long the dead are remembered ('' not to look for them now), then held tags. Returns '' or, when another life holds
 * this name, its info; then the time, and how many messages are held beside these.
 */
const beat = `${now}${marks}
local function boot_of(worker)
  local readable, info = pcall(cjson.decode, worker)
  return readable and type(info) == 'table' and type(info.boot) == 'string' and info.boot
end
local t = now()
local other = redis.call('HGET', KEYS[2], ARGV[3])
local holder = other and boot_of(other)
if holder and holder ~= ARGV[1] and tonumber(redis.call('ZSCORE', KEYS[1], holder) or 0) > t then return { other, text(t), 0 } end
local until_now = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
local since = tonumber(redis.call('HGET', KEYS[5], ARGV[1]))
if not since or since > t or until_now - ARGV[2] < t - ARGV[5] then redis.call('HSET', KEYS[5], ARGV[1], text(t)) end
redis.call('ZADD', KEYS[1], text(t + ARGV[2]), ARGV[1])
if other ~= ARGV[4] then redis.call('HSET', KEYS[2], ARGV[3], ARGV[4]) end
local others = redis.call('HLEN', KEYS[4])
for i = 7, #ARGV do
  if redis.call('HGET', KEYS[4], ARGV[i]) == ARGV[1] then
    redis.call('ZADD', KEYS[3], text(t), ARGV[i])
    others = others - 1
  end
end
if redis.call('EXISTS', unpack(KEYS, 6)) > 0 then
  for i = 6, #KEYS, 2 do mark(KEYS[i], KEYS[i + 1], t) end
end
if ARGV[6] == '' then return { '', text(t), others } end
for _, boot in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(t - ARGV[6]), 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[1], boot) redis.call('HDEL', KEYS[5], boot)
end
local some = redis.call('HRANDFIELD', KEYS[2], 100, 'WITHVALUES')
for i = 1, #some, 2 do
  local boot = boot_of(some[i + 1])
  if boot and not redis.call('ZSCORE', KEYS[1], boot) then redis.call('HDEL', KEYS[2], some[i]) end
end
return { '', text(t), others }`

/** KEYS leases, workers, steady. ARGV boot, name. */
const resign = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
local info = redis.call('HGET', KEYS[2], ARGV[2])
if info and string.find(info, ARGV[1], 1, true) then redis.call('HDEL', KEYS[2], ARGV[2]) end
return 1`

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM" // another user's
  }
}
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(WorkerInfo))

/** How long a worker is shown after its lease ran out (seconds). */
const REMEMBERED = 3600
/** One look of so many asks for what a stock worker left. */
const STOCK_EVERY = 3

/** One beat of so many looks for workers that need not be shown any longer. */
const TIDY = 12

/** This worker's lease on what it holds, and the pass that puts back what nobody holds any more. */
export const lease = (shared: Shared) => {
  const { failed, home, keyPrefix, me, mine, redis, visibility } = shared
  const doBeat = script(redis, "mgBeat", beat)
  const doResign = script(redis, "mgResign", resign)
  const release = releasing(redis, keyPrefix, me.boot, visibility)
  const { held, LATE, LEASE, leases, scheduled, steady, unackedIndex, workers } = kombu
  /** The first beat of this life has been heard: whoever has the name after that took it while we stood still. */
  let lives = false
  let beats = 0
  let looks = 0
  /** Messages that are held, as of the last beat, but not by us as far as we know. */
  let others = 0
  /** The server's time at the last beat, and how far our clock is ahead of it (milliseconds). */
  let then = 0
  let ahead = 0

  const beatOnce = async (info: WorkerInfo) => {
    const remembered = beats++ % TIDY === 0 ? REMEMBERED : ""
    const reply = await doBeat(
      [
        leases,
        workers,
        unackedIndex,
        held,
        steady,
        ...kombu.lists(shared.queues).flatMap(({ key }) => [key, kombu.arrivals(key)])
      ],
      [me.boot, LEASE, me.name, JSON.stringify(info), LATE, remembered, ...mine]
    )
    const [other, now, count] = reply as [string, string, number] // what the script returns
    then = Number(now) * 1000
    others = count
    return other
  }
  const end = (boot: string) => doResign([leases, workers, steady], [boot, me.name])

  /**
   * The life that last had our name is over when it ran on this machine and host under a process id that is ours now, or nobody's.
   * Two servers set up alike have the same host name and, in containers, the same process ids.
   */
  const outlived = (other: WorkerInfo) =>
    other.machine === me.machine && other.host === me.host && (other.pid === me.pid || !isAlive(other.pid))

  /** `false` when another worker lives under our name. */
  const renew = async (info: WorkerInfo) => {
    const reply = await beatOnce(info)
    if (reply === "") return (lives = true)
    const other = decode(reply)
    if (lives || Option.isNone(other) || !outlived(other.value)) return false
    await end(other.value.boot)
    return (lives = (await beatOnce(info)) === "")
  }

  return Lease.of({
    beat: Effect.fnUntraced(function* (info) {
      const ours = yield* attempt("beat", () => renew(info))
      ahead = (yield* Clock.currentTimeMillis) - then
      return ours
    }),
    resign: Effect.asVoid(attempt("resign", () => end(me.boot))),
    look: Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const before = (now - ahead) / 1000 - visibility
      const [due, left] = yield* attempt("look", () =>
        Promise.all([
          redis.zrange(scheduled, "0", "0", "WITHSCORES"),
          // What a stock worker left is nobody's by our own books. It has waited so long that a few seconds more are not noticed.
          looks++ % STOCK_EVERY === 0 ? redis.zrangebyscore(unackedIndex, "-inf", before, "LIMIT", 0, 1) : []
        ])
      )
      return {
        nextDue: due[1] === undefined ? Option.none() : Option.some(Number(due[1]) * 1000 + ahead),
        suspicious: others > 0 || failed.size > 0 || left.length > 0
      }
    }),
    release: Effect.gen(function* () {
      const asked = [...failed.keys()]
      const saying = [...failed].flatMap(([tag, options]) => [tag, ...told(options)])
      const { nextIn, ...released } = yield* attempt("release", () => release(mine, saying, home()))
      if (!released.more) for (const tag of asked) failed.delete(tag)
      const now = yield* Clock.currentTimeMillis
      return { ...released, nextDue: Option.map(nextIn, (millis) => now + millis) }
    })
  })
}
