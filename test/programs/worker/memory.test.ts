import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { exitCode } from "../../../src/programs/commands/outcome.ts"
import { Fleet } from "../../../src/services/Fleet.ts"
import { ResidentMemory } from "../../../src/services/ResidentMemory.ts"
import { empty, makeWorld } from "../world.ts"

const limit = { WORKER_MAX_MEMORY_PER_CHILD: "1000" }

/** A world whose workers measure what `size` says. */
const makeHeavy = Effect.map(makeWorld, (world) => {
  const heavy = { size: 900 }
  const start = (env: Readonly<Record<string, string>> = limit) =>
    world.start({ env }).pipe(
      Effect.provideService(
        ResidentMemory,
        Effect.sync(() => heavy.size)
      ),
      // A worker that goes says so first, which takes its time.
      Effect.provideService(Fleet, { ...Fleet.defaultValue(), publish: () => Effect.sleep("500 millis") })
    )
  return { ...world, heavy, start }
})

describe("a worker that grows over WORKER_MAX_MEMORY_PER_CHILD", () => {
  it.effect("ends the task in hand, takes no other, and ends in order with the code that asks for a new start", () =>
    Effect.gen(function* () {
      const { counts, heavy, metric, script, seconds, send, start, success } = yield* makeHeavy
      yield* script.jobs(...[1, 2, 3, 4].map(() => ({ ends: "picture", after: 10_000 }) as const))
      const worker = yield* start()
      const [first, second, third, fourth] = [yield* send(), yield* send(), yield* send(), yield* send()]
      yield* seconds(15)
      yield* success(first)
      heavy.size = 1001
      yield* seconds(60)
      yield* success(second)
      assert.deepStrictEqual(yield* counts, { ...empty, queued: 2 })
      assert.strictEqual((yield* script.calls).submit, 2)
      const exit = yield* Fiber.await(worker.fiber)
      assert.strictEqual(exitCode(exit, 0), 155)
      assert.match(Exit.isFailure(exit) ? String(exit.cause) : "", /exceeding its memory limit/)
      assert.strictEqual(yield* metric('children_retired_total{reason="memory"}'), 1)
      yield* start() // larger than its limit from its first task on
      yield* seconds(60)
      yield* success(third)
      yield* success(fourth)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("lets what the other children have in hand end too", () =>
    Effect.gen(function* () {
      const { counts, heavy, script, seconds, send, start, success } = yield* makeHeavy
      yield* script.jobs({ ends: "picture", after: 5_000 }, { ends: "picture", after: 5_000 }, { ends: "picture", after: 60_000 })
      yield* start({ ...limit, WORKER_CONCURRENCY: "2" })
      const [first, second, slow] = [yield* send(), yield* send(), yield* send()]
      yield* seconds(12)
      yield* success(first)
      heavy.size = 2000
      const last = yield* send()
      yield* seconds(120)
      for (const id of [second, slow, last]) yield* success(id)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("may grow as it likes without a limit", () =>
    Effect.gen(function* () {
      const { heavy, seconds, send, start, success } = yield* makeHeavy
      const worker = yield* start({})
      heavy.size = 10_000_000
      const ids = [yield* send(), yield* send()]
      yield* seconds(60)
      for (const id of ids) yield* success(id)
      assert.isUndefined(worker.fiber.pollUnsafe())
    })
  )
})
