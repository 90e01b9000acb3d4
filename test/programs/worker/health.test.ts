import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { trouble } from "../../../src/programs/worker/health.ts"
import { isNews, Vitals } from "../../../src/services/Vitals.ts"

it.effect("a worker that no longer looks at the queue is unhealthy, but not one that was told to stop", () =>
  Effect.gen(function* () {
    const vitals = yield* Vitals
    vitals.notReady = ""
    vitals.lastBeat = 100_000
    vitals.lastLook = 60_000
    assert.match(trouble(vitals, 0, 100_000), /has not looked at the queue/)
    vitals.stopping = true
    assert.strictEqual(trouble(vitals, 0, 100_000), "")
    assert.match(trouble(vitals, 0, 140_000), /no lease/)
  }).pipe(Effect.provide(Vitals.layer))
)

it.effect("what an outage repeats is logged once a minute, each thing for itself", () =>
  Effect.gen(function* () {
    const vitals = yield* Vitals
    const logged = [0, 500, 59_999, 60_000, 60_500].filter((now) => isNews(vitals, "queue", now))
    assert.deepStrictEqual(logged, [0, 60_000])
    assert.isTrue(isNews(vitals, "save", 60_500))
  }).pipe(Effect.provide(Vitals.layer))
)
