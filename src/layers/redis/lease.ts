import { Option, Schema } from "effect"
import type { Redis } from "ioredis"
import { WorkerInfo } from "../../services/TaskQueue.ts"
import type { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { script } from "./connect.ts"
import * as kombu from "./kombu.ts"
import { marks, now } from "./scripts.ts"

/**
 * KEYS leases, workers, unacked_index, held, then each list and its marks. ARGV boot, seconds, name, info, then held tags.
 * Returns '' or, when another life holds this name, its info.
 */
const beat = `${now}${marks}
local t = now()
local other = redis.call('HGET', KEYS[2], ARGV[3])
if other then
  local readable, info = pcall(cjson.decode, other)
  if readable and type(info) == 'table' and info.boot ~= ARGV[1] then
    local lease = redis.call('ZSCORE', KEYS[1], tostring(info.boot))
    if lease and tonumber(lease) > t then return other end
  end
end
redis.call('ZADD', KEYS[1], text(t + tonumber(ARGV[2])), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
for i = 5, #ARGV do
  if redis.call('HGET', KEYS[4], ARGV[i]) == ARGV[1] then redis.call('ZADD', KEYS[3], text(t), ARGV[i]) end
end
for i = 5, #KEYS, 2 do mark(KEYS[i], KEYS[i + 1], t) end
return ''`

/** KEYS leases, workers. ARGV boot, name. */
const resign = `
redis.call('ZREM', KEYS[1], ARGV[1])
local info = redis.call('HGET', KEYS[2], ARGV[2])
if info and string.find(info, ARGV[1], 1, true) then redis.call('HDEL', KEYS[2], ARGV[2]) end
return 1`

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(WorkerInfo))

/** This worker's lease on what it holds. */
export const lease = (redis: Redis, me: WorkerIdentity["Service"]) => {
  const doBeat = script(redis, "mgBeat", beat)
  const doResign = script(redis, "mgResign", resign)
  const { held, leases, unackedIndex, workers } = kombu

  const beatOnce = (info: WorkerInfo, queues: ReadonlyArray<string>, mine: Iterable<string>) =>
    doBeat(
      [leases, workers, unackedIndex, held, ...kombu.lists(queues).flatMap(({ key }) => [key, kombu.arrivals(key)])],
      [me.boot, kombu.LEASE, me.name, JSON.stringify(info), ...mine]
    )
  const end = (boot: string) => doResign([leases, workers], [boot, me.name])

  /** The life that last had our name is over when it ran on this host under a process id that is ours now, or nobody's. */
  const outlived = (other: WorkerInfo) => other.host === me.host && (other.pid === me.pid || !isAlive(other.pid))

  return {
    /** `false` when another worker lives under our name. */
    renew: async (...beat: Parameters<typeof beatOnce>) => {
      const reply = await beatOnce(...beat)
      if (reply === "") return true
      const other = decode(reply)
      if (Option.isSome(other) && !outlived(other.value)) return false
      if (Option.isSome(other)) await end(other.value.boot)
      return (await beatOnce(...beat)) === ""
    },
    end: () => end(me.boot)
  }
}
