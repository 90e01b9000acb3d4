import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, type Option } from "effect"
import { TestClock } from "effect/testing"
import { makeWaitTimes, nextLook, noHint, waitUntilEnded } from "../../../src/programs/generation/purchase/wait.ts"
import {
  Generator,
  GeneratorError,
  JobFailed,
  type Picture,
  Refused,
  type SaidEnded,
  Unknown,
  Unreachable
} from "../../../src/services/Generator.ts"

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

const noticed = (times: Parameters<typeof request>[0], usual = makeWaitTimes()) =>
  Effect.gen(function* () {
    const { layer, looks } = request(times)
    const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(waitUntilEnded(ticket, usual, 0, noHint), layer)))
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
      const usual = makeWaitTimes()
      for (let n = 0; n < 8; n++) usual.saw(ticket.endpoint, 6000, null)
      const { late, looks } = yield* noticed({ ends: 6010 }, usual)
      assert.isAtMost(late, 250)
      assert.isAtMost(looks, 4)
    })
  )

  it.effect("it learns from fal that pictures are faster than it guessed, from the first one", () =>
    Effect.gen(function* () {
      const usual = makeWaitTimes()
      usual.saw(ticket.endpoint, 1900, 940)
      const { late } = yield* noticed({ ends: 1000 }, usual)
      assert.isAtMost(late, 60)
    })
  )

  it.effect("once fal has told the usual time it is noticed within 45 ms, with at most 8 HTTP calls a picture", () =>
    Effect.gen(function* () {
      for (let ends = 1960; ends <= 2160; ends += 20) {
        const usual = makeWaitTimes()
        usual.saw(ticket.endpoint, 2100, 2000)
        const { late, looks } = yield* Effect.provide(noticed({ ends }, usual), TestClock.layer())
        assert.isAtMost(late, ends < 2019 ? 60 : 45)
        assert.isAtMost(looks, 6)
      }
    })
  )

  it("one outlier does not spoil what it learned", () => {
    const usual = makeWaitTimes()
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
      const usual = makeWaitTimes()
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
      const { tookMs } = yield* Effect.provide(waitUntilEnded(ticket, makeWaitTimes(), 0, noHint), layer) // no time passes
      assert.strictEqual(tookMs, 60_000)
    })
  )
})

const picture: Picture = { url: "u", width: 1, height: 1, contentType: null, seed: 1, flagged: false, billableUnits: 1 }
type Hint = Effect.Effect<Option.Option<SaidEnded>>
const tells = (after: number, inferenceSeconds: number | null = null): Hint =>
  Effect.delay(Effect.succeedSome({ inferenceSeconds }), after)
const givesUp = (after: number): Hint => Effect.delay(Effect.succeedNone, after)

/** A wait for a request that ends at `ends`, with a stream; what it asked of fal, in this order. */
const waited = Effect.fnUntraced(
  function* (
    ends: number,
    hint: Hint,
    {
      failure,
      hangs = false,
      usual = makeWaitTimes()
    }: {
      readonly failure?: GeneratorError["reason"]
      readonly hangs?: boolean
      readonly usual?: ReturnType<typeof makeWaitTimes>
    } = {}
  ) {
    const asked: Array<string> = []
    const over = Effect.map(Clock.currentTimeMillis, (now) => now >= ends)
    const layer = Layer.mock(Generator, {
      progress: () =>
        Effect.gen(function* () {
          asked.push("status")
          if (hangs) return yield* Effect.never
          return (yield* over) ? ({ _tag: "Ended", inferenceSeconds: 7 } as const) : ({ _tag: "Running" } as const)
        }),
      result: () =>
        Effect.gen(function* () {
          asked.push("result")
          if (!(yield* over)) return yield* new GeneratorError({ reason: new Unreachable({ detail: "in progress" }) })
          return failure === undefined ? picture : yield* new GeneratorError({ reason: failure })
        })
    })
    let listening = 0
    const stream = Effect.suspend(() => {
      listening++
      return Effect.ensuring(
        hint,
        Effect.sync(() => listening--)
      )
    })
    const fiber = yield* Effect.forkChild(Effect.provide(waitUntilEnded(ticket, usual, 0, stream), layer))
    yield* TestClock.adjust("10 minutes")
    const seen = yield* Fiber.join(fiber)
    return { ...seen, late: seen.tookMs - ends, asked, listening }
  },
  (test) => Effect.provide(test, TestClock.layer())
)

describe("waiting for a picture with a stream", () => {
  it.effect("that tells of the end: it is noticed at once, and nothing but the result is asked", () =>
    Effect.gen(function* () {
      for (const ends of [50, 700, 2000, 2400, 20_000]) {
        const usual = makeWaitTimes()
        for (let n = 0; n < 9; n++) usual.saw(ticket.endpoint, ends, ends)
        const { asked, inferenceSeconds, late, noticedBy, result } = yield* waited(ends, tells(ends, 0.5), { usual })
        assert.deepStrictEqual([late, noticedBy, inferenceSeconds], [0, "stream", 0.5])
        assert.deepStrictEqual(asked, ["result"])
        assert.strictEqual(result?._tag, "Success")
      }
    })
  )

  it.effect("that is silent: it is noticed within a second of when it would be without one", () =>
    Effect.gen(function* () {
      for (const ends of [100, 1850, 1950, 2050, 2200, 3000, 5000, 20_000, 100_000]) {
        const alone = yield* waited(ends, noHint)
        const beside = yield* waited(ends, Effect.never)
        assert.isAtMost(beside.late - alone.late, 1000, `${ends}`)
        assert.deepStrictEqual([beside.noticedBy, alone.noticedBy], ["poll", "poll"])
        assert.strictEqual(beside.listening, 0, "the stream ends with the wait")
      }
    })
  )

  it.effect("that gives up, at whatever time: it is noticed as it would be without one", () =>
    Effect.gen(function* () {
      for (const after of [0, 1, 500, 1500, 1879, 1995]) {
        const { late, noticedBy } = yield* waited(2000, givesUp(after))
        assert.isAtMost(late, 80, `${after}`)
        assert.strictEqual(noticedBy, "poll")
      }
    })
  )

  it.effect("that says so too early: the result says no, the status too, and the looks find out", () =>
    Effect.gen(function* () {
      const { asked, late, noticedBy } = yield* waited(2000, tells(300))
      assert.isAtMost(late, 80)
      assert.strictEqual(noticedBy, "poll")
      assert.deepStrictEqual(asked.slice(0, 2), ["result", "status"])
      assert.strictEqual(asked.filter((what) => what === "result").length, 1)
    })
  )

  it.effect("that tells of a failure: the result says which, and the status is not asked", () =>
    Effect.gen(function* () {
      const failure = new Refused({ status: 422, detail: "no", billableUnits: 0 })
      const { asked, noticedBy, result } = yield* waited(2000, tells(2000), { failure })
      assert.deepStrictEqual([asked, noticedBy, result?._tag], [["result"], "stream", "Failure"])
    })
  )

  it.effect("that tells of the end of one whose result says nothing: the status decides, and the stream has noticed it", () =>
    Effect.gen(function* () {
      for (const failure of [new Unknown({ detail: "404" }), new Unreachable({ detail: "502" })]) {
        const { asked, inferenceSeconds, late, noticedBy, result } = yield* waited(2000, tells(2000), { failure })
        assert.deepStrictEqual([asked, noticedBy, late], [["result", "status"], "stream", 0])
        assert.deepStrictEqual([result, inferenceSeconds], [undefined, 7])
      }
    })
  )

  it.effect("is heard while a look hangs", () =>
    Effect.gen(function* () {
      const { asked, late } = yield* waited(3000, tells(3000), { hangs: true })
      assert.deepStrictEqual([asked, late], [["status", "result"], 0])
    })
  )

  it.effect("is not opened for a request found again after its time", () =>
    Effect.gen(function* () {
      const { layer } = request({ ends: 2000 })
      yield* TestClock.adjust("1 minute")
      const opened = Effect.die(new Error("opened"))
      yield* Effect.provide(waitUntilEnded(ticket, makeWaitTimes(), 0, opened), layer)
    })
  )

  it.effect("is given up at once by a wait that is interrupted", () =>
    Effect.gen(function* () {
      let open = false
      const stream = Effect.acquireUseRelease(
        Effect.sync(() => (open = true)),
        () => Effect.never,
        () => Effect.sync(() => (open = false))
      )
      const { layer } = request({ ends: 2000 })
      const fiber = yield* Effect.forkChild(Effect.provide(waitUntilEnded(ticket, makeWaitTimes(), 0, stream), layer), {
        startImmediately: true
      })
      assert.isTrue(open)
      yield* Fiber.interrupt(fiber)
      assert.isFalse(open)
    })
  )
})
