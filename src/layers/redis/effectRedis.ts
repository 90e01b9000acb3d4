import { Effect } from "effect"
import * as EffectRedis from "effect/persistence"
import type { Redis } from "ioredis"

const { RedisError } = EffectRedis.Redis
const unused = Effect.fail(new RedisError({ cause: new Error("only commands and scripts go over this connection") }))

/** Effect's `Redis` over a connection of ours: for what is made of scripts alone. */
export const effectRedis = (redis: Redis) =>
  EffectRedis.Redis.make({
    send: <A>(command: string, ...args: ReadonlyArray<string>) =>
      Effect.tryPromise({
        try: () => redis.call(command, ...args) as Promise<A>, // who sends a command knows its answer
        catch: (cause) => new RedisError({ cause })
      }),
    subscribe: () => unused,
    connect: unused
  })
