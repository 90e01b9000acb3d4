import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Redis } from "ioredis"
import { describeWith, ownRedis } from "../servers/index.ts"
import { sentinelOf } from "../servers/Sentinel.ts"
import { eventually, message, timed, uniqueId } from "../support.ts"
import { makeStage } from "./stage.ts"

const client = (port: number, db = 0) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis({ port, db }).on("error", () => {})),
    (redis) => Effect.sync(() => redis.disconnect())
  )

describeWith(["redis", "postgres"], "a worker with sentinel:// URLs", ({ postgres }) => {
  for (const end of ["killed", "frozen"] as const) {
    it.live(
      `whose master is ${end} consumes from the promoted replica within 5 s of its promotion`,
      () =>
        Effect.gen(function* () {
          const master = yield* ownRedis
          const replica = yield* ownRedis
          const stage = yield* makeStage({ redis: master, postgres })
          const atReplica = yield* client(replica.port)
          yield* Effect.promise(() => atReplica.replicaof("127.0.0.1", master.port))
          const sentinel = yield* sentinelOf(master.port)
          const ask = yield* client(sentinel.port)
          yield* eventually(
            "the sentinel knows the replica",
            Effect.delay(
              Effect.promise(() => ask.call("SENTINEL", "replicas", "mymaster") as Promise<ReadonlyArray<unknown>>), // by its reference
              "100 millis"
            ),
            (replicas) => replicas.length === 1
          )
          const url = (db: number) => `sentinel://127.0.0.1:${sentinel.port}/${db}`
          yield* stage.start({ CELERY_BROKER_URL: url(stage.broker.db), CELERY_RESULT_BACKEND: url(stage.backend.db) })
          const before = uniqueId("before")
          yield* stage.push(message({ id: before }))
          assert.strictEqual((yield* stage.final(before))?.status, "SUCCESS")

          if (end === "killed") yield* Effect.promise(() => master.stop("KILL"))
          else process.kill(master.pid(), "SIGSTOP")
          yield* eventually(
            "promoted",
            Effect.delay(
              Effect.promise(() => ask.call("SENTINEL", "get-master-addr-by-name", "mymaster")),
              "50 millis"
            ),
            (address) => JSON.stringify(address).includes(String(replica.port))
          )
          const since = Date.now()
          const after = uniqueId("after")
          const [broker, backend] = [yield* client(replica.port, stage.broker.db), yield* client(replica.port, stage.backend.db)]
          const { queue, raw } = message({ id: after })
          yield* eventually(
            "it can be written to",
            Effect.promise(() => broker.lpush(queue, raw).catch(() => 0)),
            (length) => length > 0
          )
          yield* eventually(
            "it has ended",
            Effect.delay(
              Effect.promise(() => backend.get(`celery-task-meta-${after}`)),
              "20 millis"
            ),
            (document) => document?.includes("SUCCESS") === true
          )
          assert.isBelow(Date.now() - since, 5000)
          if (end === "frozen") process.kill(master.pid(), "SIGCONT")
        }),
      timed(60_000)
    )
  }
})
