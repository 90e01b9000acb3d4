import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { trouble } from "../../../src/programs/worker/health.ts"
import { bad, type Finding, ok, Preconditions } from "../../../src/services/Preconditions.ts"
import { empty, makeWorld } from "../world.ts"

const why = (vitals: Parameters<typeof trouble>[0]) =>
  Effect.map(
    Effect.clockWith((clock) => clock.currentTimeMillis),
    (now) => trouble(vitals, 0, now)
  )

describe("a worker", () => {
  for (const what of ["database", "results", "journal"] as const)
    it.effect(`takes nothing before the ${what} has answered once, says which has not, and then works`, () =>
      Effect.gen(function* () {
        const world = yield* makeWorld
        world.away[what] = true
        const { vitals } = yield* world.start()
        const id = yield* world.send()
        yield* world.seconds(90)
        assert.deepStrictEqual(yield* world.counts, { ...empty, queued: 1 })
        assert.strictEqual((yield* world.ledger).length, 0)
        assert.match(yield* why(vitals), /^not ready: /)
        world.away[what] = false
        yield* world.seconds(30)
        yield* world.success(id)
        assert.strictEqual(yield* why(vitals), "")
      })
    )

  it.effect("is unhealthy when what it needs has been silent for 30 s, and says what; not when it is back sooner", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const { vitals } = yield* world.start()
      yield* world.seconds(5)
      assert.notInclude(yield* why(vitals), "result store")
      world.away.results = true
      yield* world.seconds(20)
      assert.notInclude(yield* why(vitals), "result store")
      world.away.results = false
      yield* world.seconds(20)
      world.away.results = true
      yield* world.seconds(60)
      assert.match(yield* why(vitals), /^the result store has not answered for \d+ s: the results cannot be reached/)
      world.away.results = false
      yield* world.seconds(20)
      assert.notInclude(yield* why(vitals), "result store")
    })
  )

  it.effect("takes nothing while something it rests on is known to be wrong, and begins when it is mended", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      let findings: ReadonlyArray<Finding> = [bad("broker rights", "user app lacks the commands ZADD", "ACL SETUSER app +zadd")]
      const { vitals } = yield* Effect.provideService(world.start(), Preconditions, { look: Effect.sync(() => findings) })
      const id = yield* world.send()
      yield* world.seconds(60)
      assert.strictEqual(yield* why(vitals), "not ready: broker rights: user app lacks the commands ZADD")
      assert.strictEqual((yield* world.ledger).length, 0)
      findings = [ok("broker rights", "user app has all that is needed")]
      yield* world.seconds(30)
      yield* world.success(id)
    })
  )
})
