import type { Redis } from "ioredis"
import * as kombu from "../../wire/kombu.ts"

/** A key that nothing uses: each command is queued in a transaction that is discarded, and would do no harm if it ran. */
const PROBE = "model-generator.probe"
const SHA = "0".repeat(40)

/** Every command that a worker sends or its scripts call, with arguments of the right number. */
const brokerCommands: Readonly<Record<string, ReadonlyArray<string>>> = {
  DEL: [PROBE],
  EVAL: ["return 1", "0"],
  EVALSHA: [SHA, "0"],
  EXISTS: [PROBE],
  EXPIRE: [PROBE, "1"],
  GET: [PROBE],
  HDEL: [PROBE, "field"],
  HEXISTS: [PROBE, "field"],
  HGET: [PROBE, "field"],
  HGETALL: [PROBE],
  HINCRBY: [PROBE, "field", "1"],
  HLEN: [PROBE],
  HMGET: [PROBE, "field"],
  HRANDFIELD: [PROBE],
  HSET: [PROBE, "field", "value"],
  HSETNX: [PROBE, "field", "value"],
  HSTRLEN: [PROBE, "field"],
  HVALS: [PROBE],
  LINDEX: [PROBE, "0"],
  LLEN: [PROBE],
  LPUSH: [PROBE, "value"],
  LRANGE: [PROBE, "0", "0"],
  LREM: [PROBE, "1", "value"],
  LSET: [PROBE, "0", "value"],
  LTRIM: [PROBE, "0", "0"],
  PEXPIRE: [PROBE, "1"],
  PING: [],
  PTTL: [PROBE],
  PUBLISH: [PROBE, "value"],
  RPOP: [PROBE],
  RPUSH: [PROBE, "value"],
  SADD: [PROBE, "value"],
  SCARD: [PROBE],
  SET: [PROBE, "value"],
  SETEX: [PROBE, "1", "value"],
  SISMEMBER: [PROBE, "value"],
  SMEMBERS: [PROBE],
  SREM: [PROBE, "value"],
  TIME: [],
  TYPE: [PROBE],
  ZADD: [PROBE, "1", "value"],
  ZCARD: [PROBE],
  ZCOUNT: [PROBE, "0", "1"],
  ZRANGE: [PROBE, "0", "1"],
  ZRANGEBYSCORE: [PROBE, "0", "1"],
  ZREM: [PROBE, "value"],
  ZREMRANGEBYRANK: [PROBE, "0", "0"],
  ZREMRANGEBYSCORE: [PROBE, "0", "1"],
  ZSCORE: [PROBE, "value"]
}
const resultCommands = ["DEL", "EVAL", "EVALSHA", "EXPIRE", "GET", "PING", "PUBLISH", "SET", "SETEX", "ZADD", "ZCARD", "ZRANGE"]

/** The rights needed on one Redis: commands, the keys they are used on, the channels that are published to. */
export interface Needs {
  readonly commands: ReadonlyArray<string>
  readonly keys: ReadonlyArray<string>
  readonly channels: ReadonlyArray<string>
  /** Channels that are subscribed to. */
  readonly hears: ReadonlyArray<string>
}

export const brokerNeeds = (queues: ReadonlyArray<string>, control: string, events: string): Needs => ({
  commands: Object.keys(brokerCommands),
  keys: [
    kombu.unacked,
    kombu.unackedIndex,
    kombu.held,
    kombu.leases,
    kombu.journal("id"),
    ...queues.flatMap((queue) => [
      ...kombu.steps.map((step) => kombu.list(queue, step)),
      kombu.dead(queue),
      kombu.bindings(queue),
      kombu.arrivals(queue)
    ])
  ],
  channels: [control, events],
  hears: [control]
})

/** A channel is given with the prefix, which keys get from the connection. */
export const resultNeeds = (prefix: string): Needs => ({
  commands: resultCommands,
  keys: ["celery-task-meta-id", "celery-taskset-meta-id"],
  channels: [`${prefix}celery-task-meta-id`],
  hears: []
})

/** Redis says in which of the three the right is lacking. */
const lacks = (what: "command" | "key" | "channel", run: Promise<unknown>) =>
  run.then(
    () => false,
    (error: Error) => /^NOPERM\b/.test(error.message) && new RegExp(`\\b${what}s?\\b`).test(error.message)
  )

/**
 * Which of them this user has not, asked of the server by queueing each in a transaction that is thrown away: it checks rights
 * where a command is queued. The connection must never be made again by itself, or what follows would be carried out.
 */
export const missingRights = async (redis: Redis, needs: Needs): Promise<ReadonlyArray<string>> => {
  if (await lacks("command", redis.call("MULTI"))) return ["the command MULTI"]
  const among = async (
    what: Parameters<typeof lacks>[0],
    asked: ReadonlyArray<string>,
    ask: (one: string) => Promise<unknown>
  ) => {
    const answers = await Promise.all(asked.map((one) => lacks(what, ask(one))))
    return asked.filter((_, at) => answers[at])
  }
  const [commands, keys, channels] = await Promise.all([
    among("command", needs.commands, (name) => redis.call(name, ...(brokerCommands[name] ?? []))),
    among("key", needs.keys, (key) => redis.call("GET", key)),
    among("channel", needs.channels, (channel) => redis.call("PUBLISH", channel, "value"))
  ])
  await redis.call("DISCARD").catch(() => {})
  // Not queued: the driver waits for what a subscription says. The connection is of no further use.
  const hears = await among("command", needs.hears, (channel) => redis.psubscribe(channel))
  const deaf = await among("channel", hears.length > 0 ? [] : needs.hears, (channel) => redis.psubscribe(channel))
  const some = (what: string, names: ReadonlyArray<string>) =>
    names.length === 0 ? [] : [`${what} ${names.slice(0, 8).join(" ")}${names.length > 8 ? " …" : ""}`]
  return [
    ...some("the commands", [...commands, ...(hears.length > 0 ? ["PSUBSCRIBE"] : [])]),
    ...some("the keys", keys),
    ...some("the channels", [...new Set([...channels, ...deaf])])
  ]
}
