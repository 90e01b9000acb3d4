import * as kombu from "../../../wire/kombu.ts"
import { nothing, script } from "./script.ts"

/**
 * Ends the lease of one life of a worker, and removes the worker from those that are shown if that life is the last of its name.
 */
export const resign = script({
  name: "mgResign",
  keys: { leases: kombu.leases, workers: kombu.workers, steady: kombu.steady },
  args: { boot: "text", worker: "text" },
  lua: `
redis.call('ZREM', leases, boot)
redis.call('HDEL', steady, boot)
local info = redis.call('HGET', workers, worker)
if info and string.find(info, boot, 1, true) then redis.call('HDEL', workers, worker) end
return 1`,
  answer: nothing
})
