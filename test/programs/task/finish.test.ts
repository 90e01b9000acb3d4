import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import * as MetricsMemory from "../../../src/layers/memory/MetricsMemory.ts"
import * as ResultStoreMemory from "../../../src/layers/memory/ResultStoreMemory.ts"
import type { Step } from "../../../src/programs/celery/canvas/followUps.ts"
import * as Finish from "../../../src/programs/task/finish.ts"
import { Metrics } from "../../../src/services/Metrics.ts"
import { QueueError } from "../../../src/services/QueueError.ts"
import { ResultStore } from "../../../src/services/ResultStore.ts"
import { TaskQueue } from "../../../src/services/TaskQueue.ts"

const finish = Effect.fnUntraced(function* (steps: ReadonlyArray<Step>) {
  const context = { metrics: yield* Metrics, queue: yield* TaskQueue, results: yield* ResultStore }
  yield* Finish.finish(context, { tag: "t", queue: "q", raw: "" }, steps, undefined, undefined)
})

it.effect("whatever Redis was told of an end before it was away it is told again before the message is acknowledged", () => {
  /** What Redis knows. While it is away a replica takes its place that has heard of nothing. */
  let known: Array<string> = []
  let isAway = true
  const tell = (what: string) => Effect.sync(() => void known.push(what))
  const acknowledge = () =>
    Effect.suspend(() => {
      if (!isAway) return Effect.as(tell("acknowledged"), Option.none())
      known = []
      isAway = false
      return Effect.fail(new QueueError({ operation: "acknowledge", cause: "connection lost" }))
    })
  return Effect.gen(function* () {
    const steps = ["follow-up sent", "result stored"].map((what) => ({ _tag: "Run" as const, what, run: tell(what) }))
    const ending = yield* Effect.forkChild(finish(steps))
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(ending)
    assert.deepStrictEqual(known, ["follow-up sent", "result stored", "acknowledged"])
  }).pipe(Effect.provide(Layer.mergeAll(Layer.mock(TaskQueue, { acknowledge }), MetricsMemory.layer, ResultStoreMemory.layer)))
})

it.effect("a follow-up for a queue that this worker has no right to is given up, and the result is told all the same", () => {
  const known: Array<string> = []
  const tell = (what: string) => Effect.sync(() => void known.push(what))
  return Effect.gen(function* () {
    const cause = new Error("NOPERM No permissions to access a key")
    const follow = Effect.fail(new QueueError({ operation: "publishOnce", cause }))
    const ending = yield* Effect.forkChild(
      finish([
        {
          _tag: "Run",
          what: "send what follows",
          run: follow,
          otherwise: { _tag: "Run", what: "tell its waiters", run: tell("waiters told") }
        },
        { _tag: "Run", what: "store a result", run: tell("result stored") }
      ])
    )
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(known, ["buried", "waiters told", "result stored"])
    yield* Fiber.join(ending)
  }).pipe(
    Effect.provide(
      Layer.mergeAll(Layer.mock(TaskQueue, { bury: () => tell("buried") }), MetricsMemory.layer, ResultStoreMemory.layer)
    )
  )
})
