import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { makeUsual, nextLook, waitUntilEnded } from "../../../src/programs/generation/wait.ts"
import { Generator, GeneratorError, JobFailed, Unknown, Unreachable } from "../../../src/services/Generator.ts"

const ticket = { endpoint: "fal-ai/flux/dev", requestId: "r" }

/** A request that is queued, then runs, then has ended, as the clock goes; counts who looks. */
const request = (times: {
  readonly queued?: number
  readonly ends: number
  readonly trouble?: (look: number) => GeneratorError | undefined
  /** What fal answers who asks for the result. */
  readonly result?: GeneratorError
}) => {
  let looks = 0
  const layer = Layer.mock(Generator, {
    progress: () =>
      Effect.gen(function* () {
        const trouble = times.trouble?.(++looks)
        if (trouble !== undefined) return yield* trouble
        const now = yield* Clock.currentTimeMillis
        if (now < (times.queued ?? 0)) return { _tag: "Queued", position: 1 } as const
        return now < times.ends ? ({ _tag: "Running" } as const) : ({ _tag: "Ended", inferenceSeconds: null } as const)
      }),
    result: () => times.result ?? new GeneratorError({ reason: new Unknown({ detail: "404" }) })
  })
  return { layer, looks: () => looks }
}

const noticed = (times: Parameters<typeof request>[0], usual = makeUsual()) =>
  Effect.gen(function* () {
    const { layer, looks } = request(times)
    const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(waitUntilEnded(ticket, usual, 0), layer)))
    yield* TestClock.adjust("10 minutes")
    const exit = yield* Fiber.join(fiber)
    return { late: exit._tag === "Success" ? exit.value.tookMs - times.ends : Number.NaN, looks: looks(), exit }
  })

describe("waiting for a picture", () => {
  for (const ends of [1850, 1900, 1950, 2000, 2050, 2100, 2150, 2200]) {
    it.effect(`a picture of ${ends} ms is noticed within 80 ms by at most 6 looks, even the first of a process`, () =>
      Effect.gen(function* () {
        const { late, looks } = yield* noticed({ ends })
        assert.isAtLeast(late, 0)
        assert.isAtMost(late, 80)
        assert.isAtMost(looks, 6) // with the submit and the result: 8 HTTP calls
      })
    )
  }

  it.effect("on the average it is noticed within 50 ms at the usual time", () =>
    Effect.gen(function* () {
      let sum = 0
      for (let n = 0; n < 40; n++) sum += (yield* Effect.provide(noticed({ ends: 1900 + n * 7 }), TestClock.layer())).late
      assert.isAtMost(sum / 40, 50)
    })
  )

  it.effect("it learns how long pictures take", () =>
    Effect.gen(function* () {
      const usual = makeUsual()
      for (let n = 0; n < 8; n++) usual.saw(ticket.endpoint, 6000, null)
      const { late, looks } = yield* noticed({ ends: 6010 }, usual)
      assert.isAtMost(late, 250)
      assert.isAtMost(looks, 4)
    })
  )

  it.effect("it learns from fal that pictures are faster than it guessed, from the first one", () =>
    Effect.gen(function* () {
      const usual = makeUsual()
      usual.saw(ticket.endpoint, 1900, 940)
      const { late } = yield* noticed({ ends: 1000 }, usual)
      assert.isAtMost(late, 60)
    })
  )

  it.effect("once fal has told the usual time it is noticed within 45 ms, with at most 8 HTTP calls a picture", () =>
    Effect.gen(function* () {
      for (let ends = 1960; ends <= 2160; ends += 20) {
        const usual = makeUsual()
        usual.saw(ticket.endpoint, 2100, 2000)
        const { late, looks } = yield* Effect.provide(noticed({ ends }, usual), TestClock.layer())
        assert.isAtMost(late, ends < 2019 ? 60 : 45)
        assert.isAtMost(looks, 6)
      }
    })
  )

  it("one outlier does not spoil what it learned", () => {
    const usual = makeUsual()
    for (let n = 0; n < 8; n++) usual.saw("m", 2000, null)
    usual.saw("m", 200_000, null)
    assert.isBelow(usual.of("m"), 3500)
  })

  it("looks come ever more slowly on a long wait, but every 2 s at least", () => {
    let at = 0
    let looks = 0
    let widest = 0
    while (at < 240_000) {
      const next = nextLook(at, 2000)
      if (looks > 0) widest = Math.max(widest, next - at)
      at = next
      looks++
    }
    assert.isBelow(looks, 160)
    assert.isAtMost(widest, 2000)
  })

  it.effect("time spent in fal's queue is not counted as generating", () =>
    Effect.gen(function* () {
      const usual = makeUsual()
      const { looks } = yield* noticed({ queued: 60_000, ends: 62_000 }, usual)
      assert.isBelow(usual.of(ticket.endpoint), 4500)
      assert.isBelow(looks, 60)
    })
  )

  it.effect("a look that fails is repeated; the request itself is unharmed", () =>
    Effect.gen(function* () {
      const away = new GeneratorError({ reason: new Unreachable({ detail: "502" }) })
      const { exit, looks } = yield* noticed({ ends: 2000, trouble: (look) => (look <= 3 ? away : undefined) })
      assert.strictEqual(exit._tag, "Success")
      assert.isAtLeast(looks, 4)
    })
  )

  it.effect("it gives up looking when fal stays unreachable, or when a request stays unknown", () =>
    Effect.gen(function* () {
      const away = yield* noticed({
        ends: 2000,
        trouble: () => new GeneratorError({ reason: new Unreachable({ detail: "502" }) })
      })
      assert.strictEqual(away.exit._tag, "Failure")
      assert.isAtMost(away.looks, 10)
      const unknown = new GeneratorError({ reason: new Unknown({ detail: "404" }) })
      const gone = yield* Effect.provide(noticed({ ends: 2000, trouble: () => unknown }), TestClock.layer())
      assert.strictEqual(gone.exit._tag, "Failure")
      const flapping = yield* Effect.provide(
        noticed({ ends: 2000, trouble: (look) => (look <= 2 ? unknown : undefined) }),
        TestClock.layer()
      )
      assert.strictEqual(flapping.exit._tag, "Success")
    })
  )

  it.effect("a request that stays unknown has ended when its result says how", () =>
    Effect.gen(function* () {
      const trouble = () => new GeneratorError({ reason: new Unknown({ detail: "404" }) })
      const ended = new GeneratorError({ reason: new JobFailed({ status: 500, type: "runner_error", detail: "it fell" }) })
      const { exit } = yield* noticed({ ends: 2000, trouble, result: ended })
      assert.strictEqual(exit._tag, "Success")
    })
  )

  it.effect("a request found again after its time is looked at at once", () =>
    Effect.gen(function* () {
      const { layer } = request({ ends: 2000 })
      yield* TestClock.adjust("1 minute")
      const { tookMs } = yield* Effect.provide(waitUntilEnded(ticket, makeUsual(), 0), layer) // no time passes
      assert.strictEqual(tookMs, 60_000)
    })
  )
})
