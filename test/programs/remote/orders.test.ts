import { assert, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { mergeStamps } from "../../../src/programs/remote/revoked.ts"
import { leavePlace, permit, revocation } from "../../../src/programs/worker/orders.ts"
import { Fleet, MAX_REVOKED } from "../../../src/services/Fleet.ts"
import { type Request, Vitals } from "../../../src/services/Vitals.ts"

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

it.effect("a turn at a rate limit is kept for as long as its task comes, and used up when it begins", () =>
  Effect.gen(function* () {
    const vitals = yield* Vitals
    const minute = 60_000
    vitals.rateLimits.set("generate_model", { interval: minute, next: 0, places: new Map() })
    for (const [n, id] of ["first", "second"].entries()) assert.strictEqual(permit(vitals, "generate_model", id, 0), n * minute)
    for (let now = minute; now < 300 * minute; now += minute) {
      assert.strictEqual(permit(vitals, "generate_model", "second", now), now)
      permit(vitals, "generate_model", `other ${now}`, now)
    }
    leavePlace(vitals, "generate_model", "second")
    assert.isAbove(permit(vitals, "generate_model", "second", 300 * minute), 300 * minute)
  }).pipe(Effect.provide(Vitals.layer))
)

it.effect("revoked stamps are forgotten after a week, and the oldest beyond 50,000, whatever their headers", () =>
  Effect.gen(function* () {
    const place = { vitals: yield* Vitals, fleet: yield* Fleet }
    const stamped = (stamps: Request["stamps"]): Request => ({
      id: "id",
      name: "task",
      type: "task",
      args: [],
      kwargs: {},
      argsrepr: "()",
      kwargsrepr: "{}",
      queue: "generator_queue",
      priority: 0,
      redelivered: false,
      stamps,
      startedAt: null,
      terminate: () => Effect.succeed(false)
    })
    const isRevoked = (stamps: Request["stamps"]) =>
      Effect.map(Clock.currentTimeMillis, (now) => revocation(place.vitals, stamped(stamps), now))
    yield* mergeStamps(place, [["project", ["p1", "7"]]])
    assert.isTrue(yield* isRevoked({ project: ["p0", "p1"] }))
    assert.isTrue(yield* isRevoked({ project: 7 }))
    assert.isFalse(yield* isRevoked({ project: "p0", other: "p1" }))
    yield* TestClock.adjust("7 days")
    assert.isFalse(yield* isRevoked({ project: "p1" }))

    yield* mergeStamps(place, [["project", ["p1"]]])
    assert.isTrue(yield* isRevoked({ project: "p1" }))
    yield* mergeStamps(
      place,
      Array.from({ length: MAX_REVOKED }, (_, n) => [`header ${n}`, ["x"]] as const)
    )
    assert.isFalse(yield* isRevoked({ project: "p1" }))
    assert.isTrue(yield* isRevoked({ "header 0": "x" }))
    assert.strictEqual(place.vitals.revoked.stamps.size, MAX_REVOKED)
  }).pipe(Effect.provide(Vitals.layer))
)
