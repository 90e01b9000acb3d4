import { assert, it } from "@effect/vitest"
import { Clock, Effect, Layer, Logger, Option } from "effect"
import { TestClock } from "effect/testing"
import * as MetricsMemory from "../../../src/layers/memory/MetricsMemory.ts"
import { scheduler } from "../../../src/programs/worker/scheduler.ts"
import { Lease } from "../../../src/services/Lease.ts"
import { QueueError } from "../../../src/services/QueueError.ts"

it.effect("that no message can be put back is said, once each time it begins", () => {
  const said: Array<string> = []
  const doing: Array<string> = []
  const log = Logger.layer([Logger.make(({ message }) => void said.push(String([message].flat()[0])))])
  let broken = true
  const release = Effect.suspend(() =>
    broken
      ? Effect.fail(new QueueError({ operation: "release", cause: "ERR in a script" }))
      : Effect.succeed({ due: 0, lost: 0, buried: 0, more: false, nextDue: Option.none<number>() })
  )
  const look = Effect.succeed({ nextDue: Option.none<number>(), suspicious: true })
  const self = { doing: (what: string) => Effect.sync(() => void doing.push(what)) }
  return Effect.gen(function* () {
    yield* Effect.forkScoped(scheduler(Effect.void)(self as never)) // it says what it does, and needs no more of itself
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual([said.length, doing.at(-1)], [1, "no message can be put back"])
    broken = false
    yield* TestClock.adjust("5 seconds")
    assert.strictEqual(doing.at(-1), "nothing scheduled")
    broken = true
    yield* TestClock.adjust("5 seconds")
    assert.strictEqual(said.length, 2)
  }).pipe(Effect.provide([Layer.mock(Lease, { look, release }), MetricsMemory.layer, log]))
})

it.effect(
  "a pass is made at the start, when a look sees cause for one, when one falls due, and each half minute; else looks are enough",
  () => {
    const counts = { looks: 0, passes: 0 }
    let suspicious = false
    let nextDue = Option.none<number>()
    const look = Effect.sync(() => {
      counts.looks++
      return { nextDue, suspicious }
    })
    const release = Effect.sync(() => {
      counts.passes++
      return { due: 0, lost: 0, buried: 0, more: false, nextDue: Option.none<number>() }
    })
    const passesIn = (seconds: number) =>
      Effect.gen(function* () {
        const before = counts.passes
        for (let second = 0; second < seconds; second++) yield* TestClock.adjust("1 second")
        return counts.passes - before
      })
    const self = { doing: () => Effect.void }
    return Effect.gen(function* () {
      yield* Effect.forkScoped(scheduler(Effect.void)(self as never)) // it says what it does, and needs no more of itself
      assert.strictEqual(yield* passesIn(1), 1)
      assert.strictEqual(yield* passesIn(20), 0)
      assert.isAtLeast(counts.looks, 20)
      suspicious = true
      assert.strictEqual(yield* passesIn(5), 5)
      suspicious = false
      yield* passesIn(1)
      nextDue = Option.some((yield* Clock.currentTimeMillis) + 2500)
      assert.strictEqual(yield* passesIn(2), 0)
      assert.isAtLeast(yield* passesIn(1), 1)
      nextDue = Option.none()
      yield* passesIn(1)
      assert.strictEqual(yield* passesIn(60), 2)
    }).pipe(Effect.provide([Layer.mock(Lease, { look, release }), MetricsMemory.layer]))
  }
)
