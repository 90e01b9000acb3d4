import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Snapshot } from "../../src/programs/runtime/Tree.ts"
import { describeWith } from "../servers/index.ts"
import { eventually, timed } from "../support.ts"
import { ask, paidAndSaved } from "./pictures.ts"
import { makeStage, nothing } from "./stage.ts"

const SLOTS = 256
const ids = (count: number) => Array.from({ length: count }, (_, n) => `picture-${n}`)
const Carried = Schema.Struct({ requestId: Schema.String })
/** What of a message tells whose it is, and which request it pays for. */
const Waiting = Schema.fromJsonString(
  Schema.Struct({
    headers: Schema.Struct({ id: Schema.String }),
    properties: Schema.Struct({ crashes: Schema.optionalKey(Schema.Int), generation: Schema.optionalKey(Carried) })
  })
)

describeWith(["redis", "postgres"], `a worker with ${SLOTS} slots`, ({ postgres, redis }) => {
  it.live(
    "that is told to stop while all of them wait for fal hands every message back within SHUTDOWN_GRACE, each with its request",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ postgres, redis }, { pictureSeconds: 300, concurrency: SLOTS })
        for (const id of ids(SLOTS + 4)) yield* stage.push(ask(id))
        const worker = yield* stage.start({ SHUTDOWN_GRACE: "16", WORKER_CONCURRENCY: String(SLOTS), DATABASE_POOL: "4" })
        yield* eventually(
          "every request id is in the journal",
          Effect.promise(() => stage.raw.broker.zcard("model-generator.journal-state:Submitted")),
          (count) => count === SLOTS,
          60
        )
        const tree = yield* Effect.promise(async () => await (await fetch(`http://127.0.0.1:${worker.port}/tree`)).json())
        const pool = (yield* Schema.decodeUnknownEffect(Snapshot)(tree)).children.find(({ name }) => name === "pool")
        assert.strictEqual(pool?.children.filter(({ doing }) => doing.startsWith("message ")).length, SLOTS)

        const before = Date.now()
        yield* worker.signal("SIGTERM")
        assert.deepStrictEqual(yield* worker.exited, { code: 0, signal: null })
        assert.isBelow(Date.now() - before, 16_000)
        assert.deepStrictEqual(yield* stage.left, { ...nothing, queued: SLOTS + 4 })
        const waiting = yield* Effect.forEach(
          yield* Effect.promise(() => stage.raw.broker.lrange("generator_queue", 0, -1)),
          (raw) => Schema.decodeEffect(Waiting)(raw)
        )
        assert.sameMembers(
          waiting.map(({ headers }) => headers.id),
          ids(SLOTS + 4)
        )
        const requests = waiting.flatMap(({ properties }) => properties.generation?.requestId ?? [])
        assert.sameMembers(
          requests,
          (yield* stage.fal.ledger).map(({ requestId }) => requestId)
        )
        assert.deepStrictEqual(
          [requests.length, waiting.filter(({ properties }) => properties.crashes !== undefined)],
          [SLOTS, []]
        )
      }),
    timed(120_000)
  )

  it.live(
    "makes as many pictures at once, and opens no more connections to the database than it is told",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ postgres, redis }, { pictureSeconds: 5, concurrency: SLOTS })
        const all = ids(SLOTS + 64)
        for (const id of all) yield* stage.push(ask(id))
        const worker = yield* stage.start({ WORKER_CONCURRENCY: String(SLOTS) })
        yield* eventually(
          "every picture has its result",
          Effect.promise(async () => {
            const results = await stage.raw.backend.mget(all.map((id) => `celery-task-meta-${id}`))
            return results.filter((result) => result?.includes('"SUCCESS"')).length
          }),
          (count) => count === all.length,
          150
        )
        yield* paidAndSaved(stage, all.length)
        const metrics = yield* Effect.promise(async () => await (await fetch(`http://127.0.0.1:${worker.port}/metrics`)).text())
        assert.isAtMost(Number(/^model_generator_database_connections_total (\d+)/m.exec(metrics)?.[1]), 16)
      }),
    180_000
  )
})
