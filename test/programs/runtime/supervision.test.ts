import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import * as MetricsMemory from "../../../src/layers/memory/MetricsMemory.ts"
import * as Supervisor from "../../../src/programs/runtime/Supervisor.ts"
import * as Tree from "../../../src/programs/runtime/Tree.ts"

const { actor, supervisor } = Supervisor
const limits = { intensity: 2, period: "1 minute" } as const

describe("a supervisor", () => {
  it.effect("starts a crashed child again, alone, and says so in the tree", () =>
    Effect.gen(function* () {
      const starts = yield* Ref.make<ReadonlyArray<string>>([])
      const started = (name: string) => Ref.update(starts, (names) => [...names, name])
      const tree = supervisor("root", limits, [
        actor("steady", {}, () => Effect.andThen(started("steady"), Effect.never)),
        actor("frail", {}, (self) =>
          Effect.gen(function* () {
            yield* started("frail")
            yield* self.doing("trying")
            if ((yield* Ref.get(starts)).filter((name) => name === "frail").length === 1) return yield* Effect.die("once")
            return yield* Effect.never
          })
        )
      ])
      const fiber = yield* Effect.forkChild(tree.run)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Ref.get(starts), ["steady", "frail", "frail"])
      assert.strictEqual(
        Tree.draw(Tree.snapshot(tree.node)),
        "root  running\n├─ steady  running\n└─ frail  running · restarted 1x · trying"
      )
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("gives up when a child crashes more often than it allows, and stops the others", () =>
    Effect.gen(function* () {
      const stopped = yield* Ref.make(false)
      const tree = supervisor("root", limits, [
        actor("steady", {}, () => Effect.ensuring(Effect.never, Ref.set(stopped, true))),
        actor("hopeless", {}, () => Effect.fail("no way"))
      ])
      const fiber = yield* Effect.forkChild(Effect.exit(tree.run))
      yield* TestClock.adjust("1 second")
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isFailure(exit) && exit.cause.toString().includes("hopeless crashed too often"))
      assert.isTrue(yield* Ref.get(stopped))
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("forgives crashes that lie further apart than its period", () =>
    Effect.gen(function* () {
      const tree = supervisor("root", limits, [
        actor("slow to fail", {}, () => Effect.andThen(Effect.sleep("40 seconds"), Effect.die("again")))
      ])
      const fiber = yield* Effect.forkChild(tree.run)
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(fiber.pollUnsafe())
      assert.isAbove(tree.node.children[0]!.restarts, 10)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("a clean end of a permanent child is a replacement, not a crash", () =>
    Effect.gen(function* () {
      const lives = yield* Ref.make(0)
      const tree = supervisor("root", limits, [
        actor("mayfly", {}, () =>
          Effect.andThen(
            Ref.update(lives, (n) => n + 1),
            Effect.sleep("1 second")
          )
        )
      ])
      const fiber = yield* Effect.forkChild(tree.run)
      yield* TestClock.adjust("30 seconds")
      assert.isAbove(yield* Ref.get(lives), 25)
      assert.strictEqual(tree.node.children[0]!.restarts, 0)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MetricsMemory.layer))
  )

  it.effect("stops its children from the last to the first, and leaves behind one that will not stop", () =>
    Effect.gen(function* () {
      const order = yield* Ref.make<ReadonlyArray<string>>([])
      const says = (name: string) => Ref.update(order, (names) => [...names, name])
      const tree = supervisor("root", limits, [
        actor("first", {}, () => Effect.ensuring(Effect.never, says("first"))),
        actor("deaf", { stopWithin: "2 seconds" }, () => Effect.uninterruptible(Effect.never)),
        actor("last", {}, () => Effect.ensuring(Effect.never, says("last")))
      ])
      const fiber = yield* Effect.forkChild(tree.run)
      yield* TestClock.adjust("1 second")
      const stop = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Ref.get(order), ["last"])
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(stop)
      assert.deepStrictEqual(yield* Ref.get(order), ["last", "first"])
    }).pipe(Effect.provide(MetricsMemory.layer))
  )
})
