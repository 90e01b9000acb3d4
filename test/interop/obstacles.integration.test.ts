/**
 * What is closed, refused or away on its own: real workers go on with what does not need it, pay for nothing in vain, and say so.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { connected } from "../layers/databases.ts"
import { describeWith } from "../servers/index.ts"
import { proxy } from "../servers/Proxy.ts"
import { eventually, message, timed, uniqueId } from "../support.ts"
import { ask, paidAndSaved, type Stage } from "./pictures.ts"
import { makeStage } from "./stage.ts"

const EDIT = "fal-ai/flux/dev/image-to-image"
const edit = (id: string) =>
  message({
    id,
    task: "edit_model",
    kwargs: { prompt: "x", template_id: "female_25-35_average_front-standing_professional" }
  })

const pushSome = Effect.fnUntraced(function* (stage: Stage, count: number) {
  const ids = Array.from({ length: count }, () => uniqueId("obstacle"))
  for (const id of ids) yield* stage.push(ask(id))
  return ids
})
const allEnd = Effect.fnUntraced(function* (stage: Stage, ids: ReadonlyArray<string>, seconds: number) {
  for (const id of ids)
    yield* eventually(`${id} has ended`, stage.result(id), (document) => document?.status === "SUCCESS", seconds)
})
const why = ({ body }: { readonly body: Record<string, unknown> }) => String(body["why"])

describeWith(["redis", "postgres"], "beside what takes nothing", (servers) => {
  it.live(
    "one of fal's endpoints refused: two workers make all pictures of the other, and this one's when it is allowed again",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        yield* stage.fal.setFaults({ route: "submit", kind: "error", status: 403, endpoint: EDIT, times: 1000 })
        yield* stage.start({ WORKER_NAME: "celery@one" })
        const two = yield* stage.start({ WORKER_NAME: "celery@two" })
        yield* allEnd(stage, yield* pushSome(stage, 1), 20)
        const refused = uniqueId("edit")
        yield* stage.push(edit(refused))
        const ids = yield* pushSome(stage, 10)
        yield* allEnd(stage, ids, 12)
        assert.isUndefined(yield* stage.result(refused))
        assert.deepInclude(yield* stage.left, { queued: 0, unacked: 1, dead: 0 })
        assert.strictEqual((yield* two.health).status, 200)
        yield* stage.fal.clearFaults
        yield* allEnd(stage, [refused], 30)
        yield* paidAndSaved(stage, 12)
      }),
    90_000
  )

  it.live(
    "the result server away on its own: no more is paid than is in hand, health says so within 30 s, and all end when it is back",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        const backend = yield* proxy(servers.redis.port)
        const url = new URL(stage.backend.url)
        url.port = String(backend.port)
        const worker = yield* stage.start({ CELERY_RESULT_BACKEND: url.href, WORKER_CONCURRENCY: "2" })
        yield* allEnd(stage, yield* pushSome(stage, 1), 20)
        yield* backend.silence
        const since = Date.now()
        const ids = yield* pushSome(stage, 8)
        const told = yield* eventually("unhealthy", Effect.delay(worker.health, "500 millis"), ({ status }) => status === 503, 60)
        assert.isBelow(Date.now() - since, 30_000)
        assert.match(why(told), /^paused: cannot store a result: the results cannot be reached/)
        assert.isAtMost((yield* stage.fal.ledger).length, 1 + 3)
        yield* backend.heal
        yield* allEnd(stage, ids, 40)
        yield* paidAndSaved(stage, 9)
        yield* eventually("healthy", worker.health, ({ status }) => status === 200, 20)
      }),
    timed(120_000)
  )

  it.live(
    "a table that takes no row of ours any more: one picture waits, none is bought, and all are saved when it is mended",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        const worker = yield* stage.start()
        yield* allEnd(stage, yield* pushSome(stage, 1), 20)
        yield* Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`ALTER TABLE model_library ADD COLUMN owner TEXT NOT NULL DEFAULT ''`
          yield* sql`ALTER TABLE model_library ALTER COLUMN owner DROP DEFAULT`
          const ids = yield* pushSome(stage, 6)
          const told = yield* eventually(
            "unhealthy",
            Effect.delay(worker.health, "500 millis"),
            ({ status }) => status === 503,
            60
          )
          assert.match(why(told), /^paused: pictures cannot be saved, so none is bought: .*owner.*\[23502\]/)
          assert.strictEqual((yield* stage.fal.ledger).length, 2)
          yield* sql`ALTER TABLE model_library DROP COLUMN owner`
          yield* allEnd(stage, ids, 60)
        }).pipe(Effect.provide(connected(stage.database.directUrl)))
        yield* paidAndSaved(stage, 7)
        assert.strictEqual((yield* worker.health).status, 200)
      }),
    150_000
  )
})
