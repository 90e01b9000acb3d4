import { Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Preconditions } from "../services/Preconditions.ts"
import * as Settings from "../services/Settings.ts"
import { databaseFindings } from "./postgres/databasePreconditions.ts"
import { channelsOf } from "./redis/channels.ts"
import { redisFindings } from "./redis/redisPreconditions.ts"
import { brokerNeeds, resultNeeds } from "./redis/rights.ts"
import { backend, broker } from "./redis/where.ts"

/** The real Redis and PostgreSQL, looked at over connections of their own. */
export const layer = Layer.effect(
  Preconditions,
  Effect.gen(function* () {
    const [atBroker, atBackend] = [yield* broker, yield* backend]
    const { WORKER_QUEUES } = yield* Settings.of("WORKER_QUEUES")
    const channels = yield* channelsOf(atBroker)
    const sql = yield* SqlClient
    const redis = Effect.gen(function* () {
      const seen = new Set<string>()
      const one = yield* Effect.option(
        redisFindings(
          atBroker,
          brokerNeeds(WORKER_QUEUES, channels.control, channels.events("worker.heartbeat")),
          seen,
          atBackend
        )
      )
      const other = yield* Effect.option(redisFindings(atBackend, resultNeeds(atBackend.keyPrefix), seen))
      return [...Option.getOrElse(one, () => []), ...Option.getOrElse(other, () => [])]
    })
    const database = Effect.option(Effect.provideService(databaseFindings, SqlClient, sql))
    return {
      look: Effect.map(Effect.all([redis, database], { concurrency: 2 }), ([redis, database]) => [
        ...redis,
        ...Option.getOrElse(database, () => [])
      ])
    }
  })
)
