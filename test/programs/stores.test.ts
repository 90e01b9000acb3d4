/** A worker that cannot store results, or not read what is paid, takes no more tasks and says why. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { pausedBy } from "../../src/programs/task/obstacles.ts"
import type { Vitals } from "../../src/services/Vitals.ts"
import { empty, makeWorld } from "./world.ts"

const health = ({ vitals }: { readonly vitals: Vitals["Service"] }) =>
  Effect.map(Clock.currentTimeMillis, (now) => pausedBy(vitals, now))

describe("while the result server is away", () => {
  for (const slots of [1, 3])
    it.effect(
      `a worker with ${slots} slots pays for no more than it has in hand, says so within 30 s, and goes on by itself`,
      () =>
        Effect.gen(function* () {
          const world = yield* makeWorld
          const worker = yield* world.start({ env: { WORKER_CONCURRENCY: String(slots) } })
          const first = yield* world.send()
          yield* world.seconds(0.5)
          world.away.results = true
          yield* world.seconds(3)
          const ids = []
          for (let n = 0; n < 10; n++) ids.push(yield* world.send())
          yield* world.seconds(25)
          assert.match(yield* health(worker), /^cannot store a result: the results cannot be reached/)
          assert.strictEqual(yield* world.metric("consuming"), 0)
          yield* world.seconds(600)
          assert.isAtMost((yield* world.ledger).length, 2)
          world.away.results = false
          yield* world.seconds(60)
          for (const id of [first, ...ids]) yield* world.success(id)
          assert.strictEqual(yield* health(worker), "")
          assert.strictEqual((yield* world.ledger).length, 11)
          assert.deepStrictEqual(yield* world.counts, empty)
        })
    )
})

describe("while the journal is away and the queue is not", () => {
  it.effect("a worker puts no more tasks off than it has in hand, says so, and goes on by itself", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const worker = yield* world.start({ env: { WORKER_CONCURRENCY: "2" } })
      world.away.journal = true
      const ids = []
      for (let n = 0; n < 30; n++) ids.push(yield* world.send())
      yield* world.seconds(30)
      assert.match(yield* health(worker), /^the journal cannot be read/)
      assert.isAtLeast((yield* world.counts).queued, 27)
      assert.strictEqual((yield* world.ledger).length, 0)
      world.away.journal = false
      yield* world.seconds(100)
      for (const id of ids) yield* world.success(id)
      assert.strictEqual(yield* health(worker), "")
      assert.deepStrictEqual(yield* world.counts, empty)
    })
  )
})
