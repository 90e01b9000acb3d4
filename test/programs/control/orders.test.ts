import { assert, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { mergeStamps } from "../../../src/programs/control/revokedIds.ts"
import { leavePlace, permit } from "../../../src/programs/task/rateLimit.ts"
import { revocation } from "../../../src/programs/task/revocation.ts"
import { Fleet, MAX_REVOKED } from "../../../src/services/Fleet.ts"
import { rateLimit, type Request, Vitals } from "../../../src/services/Vitals.ts"

const task = "generate_model"
const minute = 60_000
const asked = (vitals: Vitals["Service"], id: string, now: number) => permit(vitals, task, { id, tag: `tag of ${id}` }, now)
/** Limited to one a minute, with ten that wait behind the one that has its turn. */
const limited = Effect.gen(function* () {
  const vitals = yield* Vitals
  const limit = rateLimit(minute)
  vitals.rateLimits.set(task, limit)
  for (let n = 0; n <= 10; n++) asked(vitals, `task ${n}`, 0)
  return { vitals, limit }
})

it.effect("a rate limit parks no task for longer than some seconds, however many wait", () =>
  Effect.gen(function* () {
    const vitals = yield* Vitals
    vitals.rateLimits.set(task, rateLimit(3_600_000))
    assert.strictEqual(asked(vitals, "first", 0), 0)
    for (let n = 0; n < 200; n++) assert.isAtMost(asked(vitals, `task ${n}`, 0), 30_000)
    for (let n = 0; n < 200; n++) assert.isAbove(asked(vitals, `task ${n}`, 30_000), 30_000)
    assert.strictEqual(asked(vitals, "task 0", 3_600_000), 3_600_000)
  }).pipe(Effect.provide(Vitals.layer))
)

it.effect("those that wait for a rate limit take turns in the order in which they came, the first with a little patience", () =>
  Effect.gen(function* () {
    const { vitals } = yield* limited
    assert.isAbove(asked(vitals, "new", minute), minute)
    assert.isAbove(asked(vitals, "task 2", minute), minute)
    assert.strictEqual(asked(vitals, "task 1", minute + 500), minute + 500)
    // The first does not come: its turn is not lost for the others.
    assert.isAbove(asked(vitals, "task 5", 2 * minute + 1000), 2 * minute + 1000)
    assert.strictEqual(asked(vitals, "task 5", 2 * minute + 2500), 2 * minute + 2500)
  }).pipe(Effect.provide(Vitals.layer))
)

it.effect("a rate limit keeps no place for tasks that another worker has taken", () =>
  Effect.gen(function* () {
    const { limit, vitals } = yield* limited
    assert.strictEqual(limit.waiting.size, 10)
    const now = 10 * minute
    assert.strictEqual(asked(vitals, "new", now), now)
    assert.strictEqual(limit.waiting.size, 0)
  }).pipe(Effect.provide(Vitals.layer))
)

it.effect("a turn at a rate limit is kept for as long as its task comes, and used up when it begins", () =>
  Effect.gen(function* () {
    const { vitals } = yield* limited
    assert.strictEqual(asked(vitals, "task 1", minute), minute)
    for (let now = 2 * minute; now < 300 * minute; now += minute) {
      assert.strictEqual(asked(vitals, "task 1", now), now)
      asked(vitals, `other ${now}`, now)
    }
    leavePlace(vitals, task, "task 1")
    assert.isAbove(asked(vitals, "task 1", 299 * minute + 1), 299 * minute + 1)
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
