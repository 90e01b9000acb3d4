/** A Redis with a replica and a sentinel, whose master dies again and again; and what each promotion made the world forget. */
import { Effect } from "effect"
import { Redis } from "ioredis"
import type { RedisServer } from "../servers/Redis.ts"
import { sentinelOf } from "../servers/Sentinel.ts"
import { eventually } from "../support.ts"
import { BACKEND, BROKER, durableRedis, type Home } from "./arena.ts"
import type { Forgotten } from "./judge.ts"

/** A busy machine may keep a server from answering for a moment, and then nobody is to be promoted (milliseconds). */
const PATIENCE = 3000

/** All that matters of what one of the two has. */
interface State {
  /** Request ids in the journal, by task. */
  readonly requests: ReadonlyMap<string, string>
  /** Tasks that have ended or whose message is there. */
  readonly known: ReadonlySet<string>
}

const idsIn = (texts: ReadonlyArray<string>) => texts.flatMap((text) => /\\?"id\\?": ?\\?"([0-9a-f-]{36})/.exec(text)?.[1] ?? [])

/** One of the names and values that alternate in an answer of a sentinel's. */
const valueOf = (fields: ReadonlyArray<string>, name: string) => fields[fields.indexOf(name) + 1]

const stateOf = async ({ port }: RedisServer): Promise<State> => {
  const [broker, backend] = [BROKER, BACKEND].map((db) => new Redis({ port, db })) as [Redis, Redis] // one for each
  try {
    const requests = new Map<string, string>()
    for (const key of await broker.keys("model-generator.journal:*")) {
      const request = /"requestId":"([^"]+)"/.exec((await broker.get(key)) ?? "")?.[1]
      if (request !== undefined) requests.set(key.slice(key.indexOf(":") + 1), request)
    }
    const lists = await broker.keys("generator_queue*")
    const waiting = (await Promise.all(lists.map((key) => broker.lrange(key, 0, -1)))).flat()
    const ended: Array<string> = []
    for (const key of await backend.keys("celery-task-meta-*"))
      if (/"status": ?"(SUCCESS|FAILURE|REVOKED)"/.test((await backend.get(key)) ?? ""))
        ended.push(key.slice("celery-task-meta-".length))
    return { requests, known: new Set([...ended, ...idsIn([...waiting, ...(await broker.hvals("unacked"))])]) }
  } finally {
    broker.disconnect()
    backend.disconnect()
  }
}

export const makePair = Effect.gen(function* () {
  let [master, replica] = [yield* durableRedis, yield* durableRedis]
  const first = master
  const command = <A>({ port }: RedisServer, ask: (redis: Redis) => Promise<A>) =>
    Effect.promise(async () => {
      const redis = new Redis({ port })
      try {
        return await ask(redis)
      } finally {
        redis.disconnect()
      }
    })
  const inSync = Effect.suspend(() =>
    eventually(
      "the replica has all its master has",
      Effect.delay(
        command(master, (redis) => redis.info("replication")),
        "50 millis"
      ),
      (info) => {
        const offset = /master_repl_offset:(\d+)/.exec(info)?.[1]
        return /state=online/.test(info) && new RegExp(`offset=${offset},`).test(info)
      },
      30
    )
  )
  yield* command(replica, (redis) => redis.replicaof("127.0.0.1", String(master.port)))
  yield* inSync
  const sentinel = yield* sentinelOf(first.port, PATIENCE)
  const asked = <A>(ask: (redis: Redis) => Promise<A>) => command({ ...first, port: sentinel.port }, ask)
  const knowsReplica = eventually(
    "the sentinel knows the replica",
    Effect.delay(
      asked((redis) => redis.call("SENTINEL", "replicas", "mymaster") as Promise<ReadonlyArray<ReadonlyArray<string>>>), // by its reference
      "100 millis"
    ),
    (replicas) => replicas.some((one) => valueOf(one, "port") === String(replica.port) && valueOf(one, "flags") === "slave"),
    30
  )
  yield* knowsReplica

  const home: Home = {
    redis: first,
    port: () => master.port,
    url: (_wire, db) => `sentinel://127.0.0.1:${sentinel.port}/${db}`,
    client: (db) => new Redis({ sentinels: [{ host: "127.0.0.1", port: sentinel.port }], name: "mymaster", db })
  }
  const requests: Array<string> = []
  const ends = new Set<string>()

  return {
    home,
    inSync,
    forgotten: { requests, ends } satisfies Forgotten,
    /**
     * The replica hears nothing for so long (milliseconds), the master dies, the replica is promoted, and the dead one comes back
     * as its replica. `dying` is what happens in the instant of the death.
     */
    promote: Effect.fnUntraced(function* (lag: number, dying: Effect.Effect<void>) {
      process.kill(replica.pid(), "SIGSTOP")
      // What had been sent to it would wait in its socket.
      if (lag > 0) yield* command(master, (redis) => redis.call("CLIENT", "KILL", "TYPE", "replica"))
      yield* Effect.sleep(lag)
      yield* Effect.promise(() => master.stop("KILL"))
      yield* dying
      process.kill(replica.pid(), "SIGCONT")
      // Nobody writes to it before it is promoted, which takes the sentinel a second at least.
      const kept = yield* Effect.promise(() => stateOf(replica))
      yield* eventually(
        "promoted",
        Effect.delay(
          asked((redis) => redis.call("SENTINEL", "get-master-addr-by-name", "mymaster")),
          "50 millis"
        ),
        (address) => JSON.stringify(address).includes(`"${replica.port}"`),
        30
      )
      yield* Effect.promise(() => master.start())
      const had = yield* Effect.promise(() => stateOf(master))
      for (const [task, request] of had.requests) if (kept.requests.get(task) !== request) requests.push(task)
      for (const task of had.known) if (!kept.known.has(task)) ends.add(task)
      yield* command(master, (redis) => redis.replicaof("127.0.0.1", String(replica.port)))
      ;[master, replica] = [replica, master]
      yield* inSync
      yield* knowsReplica
    })
  }
})
