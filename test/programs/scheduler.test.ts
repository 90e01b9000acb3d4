import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Option } from "effect"
import { TestClock } from "effect/testing"
import * as MetricsMemory from "../../src/layers/MetricsMemory.ts"
import { scheduler } from "../../src/programs/worker/upkeep.ts"
import { Lease } from "../../src/services/Lease.ts"
import { QueueError } from "../../src/services/QueueError.ts"

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
