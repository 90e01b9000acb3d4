import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { permit } from "../../../src/programs/worker/orders.ts"
import { Vitals } from "../../../src/services/Vitals.ts"

it.effect("a rate limit keeps no place for tasks that another worker has taken", () =>
  Effect.gen(function* () {
    const vitals = yield* Vitals
    const places = new Map<string, number>()
    vitals.rateLimits.set("generate_model", { interval: 60_000, next: 0, places })
    for (let n = 0; n < 10; n++) permit(vitals, "generate_model", `gone ${n}`, 0)
    assert.strictEqual(places.size, 10)
    for (let n = 0; n < 2; n++) permit(vitals, "generate_model", `new ${n}`, 2 * 3_600_000)
    assert.deepStrictEqual([...places.keys()], ["new 0", "new 1"])
  }).pipe(Effect.provide(Vitals.layer))
)
