import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { describeWith, freshRedis } from "../../servers/index.ts"
import { everyRole } from "../../roles.ts"
import { identity, message, settings } from "../../support.ts"
import { program } from "./program.ts"
import { onRedis } from "../../layers/queues.ts"

const { run } = program()

describeWith(["redis"], "dead letters", ({ redis }) => {
  it.live(
    "are listed with their reason, shown in full, put back and dropped",
    () =>
      Effect.gen(function* () {
        const { url } = yield* freshRedis(redis)
        const env = { CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url }
        const layer = onRedis.pipe(Layer.provide(identity()), Layer.provide(settings({ CELERY_BROKER_URL: url })), Layer.orDie)
        yield* Effect.gen(function* () {
          const queue = yield* everyRole
          yield* queue.publish([message({ id: "poison" }), { tag: "", queue: "generator_queue", priority: 0, raw: "not json" }])
          for (const reason of ["crashed its worker", "unreadable"]) {
            yield* queue.bury(Option.getOrThrow(yield* queue.claim), { reason, error: "why" })
          }

          const list = yield* run(["dead", "list", "--json"], env)
          assert.strictEqual(list.code, 0, list.stderr)
          const letters: ReadonlyArray<Record<string, unknown>> = JSON.parse(list.stdout)
          assert.deepStrictEqual(
            letters.map((letter) => [letter["task_id"], letter["reason"]]),
            [
              [null, "unreadable"],
              ["poison", "crashed its worker"]
            ]
          )
          const [unreadable, poison] = letters.map((letter) => String(letter["id"]))

          const shown = yield* run(["dead", "show", unreadable!], env)
          assert.strictEqual(JSON.parse(shown.stdout).raw, "not json")

          const back = yield* run(["dead", "redrive", poison!, "--json"], env)
          assert.deepStrictEqual([back.code, JSON.parse(back.stdout)], [0, { redriven: [poison] }])
          assert.isTrue(Option.isSome(yield* queue.claim))

          assert.strictEqual((yield* run(["dead", "redrive", poison!], env)).code, 1, "it is gone")
          assert.strictEqual((yield* run(["dead", "drop"], env)).code, 2, "which?")
          assert.strictEqual((yield* run(["dead", "drop", "--all"], env)).code, 0)
          assert.deepStrictEqual(yield* queue.deadLetters.list(10), [])
        }).pipe(Effect.provide(layer))
      }),
    60_000
  )
})
