import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import * as JournalRedis from "../../../src/layers/redis/JournalRedis.ts"
import { Journal } from "../../../src/services/Journal.ts"
import { intended, submitted } from "../../contracts/journal.ts"
import { ended } from "../../contracts/taskLives.ts"
import { onRedis } from "../../layers/queues.ts"
import { everyRole } from "../../roles.ts"
import { describeWith, freshRedis } from "../../servers/index.ts"
import { identity, message, settings } from "../../support.ts"
import { program } from "./program.ts"

const { run } = program()

describeWith(["redis"], "why", ({ redis }) => {
  it.live(
    "tells what is kept of a task, says what it cannot reach, and where it looked for one that nobody knows",
    () =>
      Effect.gen(function* () {
        const { url } = yield* freshRedis(redis)
        const broker = { CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url }
        const env = { ...broker, DATABASE_URL: "postgresql://nobody@127.0.0.1:9/nothing", TIMEZONE: "Europe/Berlin" }
        const context = yield* Layer.build(
          Layer.merge(onRedis, Layer.fresh(JournalRedis.layer)).pipe(
            Layer.provide([identity("celery@one"), settings(broker)]),
            Layer.orDie
          )
        )
        const queue = yield* Effect.provideContext(everyRole, context)
        const journal = Context.get(context, Journal)
        yield* queue.publish([message({ id: "aa-1" }), message({ id: "ab-2" })])
        const delivery = Option.getOrThrow(yield* queue.claim)
        yield* journal.intend("aa-1", intended, Option.none())
        yield* journal.advance("aa-1", submitted)
        yield* queue.acknowledge(delivery, { told: { taskId: "aa-1", event: ended } })

        const told = yield* run(["why", "aa"], env)
        assert.strictEqual(told.code, 0, told.stderr)
        assert.match(told.stdout, /^aa-1 {2}SUCCESS, its result is not kept any more\n/)
        assert.match(told.stdout, /time \(Europe\/Berlin\) +after +worker +what/)
        assert.match(told.stdout, /\+\d+ ms +celery@one +fal accepted it as request r-1/)
        assert.match(told.stdout, /not reached +model_library: the database: /)

        const waiting = yield* run(["why", "ab-2", "--json"], env)
        assert.strictEqual(waiting.code, 0, waiting.stderr)
        assert.deepInclude(JSON.parse(waiting.stdout), {
          task_id: "ab-2",
          task: "health_check",
          state: "waits in its queue",
          events: [],
          messages: [{ where: "Waiting", queue: "generator_queue", before: 0 }]
        })
        assert.deepStrictEqual(
          JSON.parse(waiting.stdout).not_reached.map(({ where }: { readonly where: string }) => where),
          ["model_ledger"]
        )

        const ambiguous = yield* run(["why", "a"], env)
        assert.strictEqual(ambiguous.code, 1)
        assert.match(ambiguous.stderr, /a is the beginning of several tasks:\n {2}aa-1\n {2}ab-2/)

        const unknown = yield* run(["why", "\u001b[31mnobody"], env)
        assert.strictEqual(unknown.code, 1)
        for (const place of ["the journal", "the queues", "the dead letters", "the results", "model_library"])
          assert.include(unknown.stderr, place)
        assert.notInclude(unknown.stderr, "\u001b")
        const inJson = yield* run(["why", "nobody", "--json"], env)
        assert.deepStrictEqual([inJson.code, JSON.parse(inJson.stdout).state], [1, "not found"])
        assert.strictEqual((yield* run(["why", ""], env)).code, 2)
      }),
    60_000
  )

  it.live(
    "says so when nothing can be reached",
    () =>
      Effect.gen(function* () {
        const nowhere = { CELERY_BROKER_URL: "redis://127.0.0.1:9/0", CELERY_RESULT_BACKEND: "redis://127.0.0.1:9/1" }
        const { code, stderr } = yield* run(["why", "x"], { ...nowhere, DATABASE_URL: "postgresql://nobody@127.0.0.1:9/nothing" })
        assert.strictEqual(code, 1)
        assert.match(stderr, /Not reached: the journal \(/)
        assert.match(stderr, /Not reached: the results \(/)
      }),
    60_000
  )
})
