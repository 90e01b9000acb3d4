import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { randomUUID } from "node:crypto"
import * as ModelLibraryMemory from "../../../src/layers/memory/ModelLibraryMemory.ts"
import * as ResultStoreMemory from "../../../src/layers/memory/ResultStoreMemory.ts"
import * as ReviewsMemory from "../../../src/layers/memory/ReviewsMemory.ts"
import * as TaskQueueMemory from "../../../src/layers/memory/TaskQueueMemory.ts"
import * as Provider from "../../../src/layers/Provider.ts"
import { keepFull } from "../../../src/programs/commands/fill.ts"
import { combinations, templateIdOf } from "../../../src/programs/generation/tasks/Parameters.ts"
import { targets } from "../../../src/programs/generation/tasks/targets.ts"
import { ModelLibrary } from "../../../src/services/ModelLibrary.ts"
import { QueueInspector } from "../../../src/services/QueueInspector.ts"
import { Reviews } from "../../../src/services/Reviews.ts"
import { TaskQueue } from "../../../src/services/TaskQueue.ts"
import { aModel } from "../../contracts/modelLibrary.ts"
import { identity, settings } from "../../support.ts"

const file = join(mkdtempSync(join(tmpdir(), "targets-")), "targets.json")
const withRules = (rules: unknown) =>
  Effect.suspend(() => {
    writeFileSync(file, typeof rules === "string" ? rules : JSON.stringify(rules))
    return targets
  }).pipe(Effect.provide([NodeFileSystem.layer, settings({ LIBRARY_TARGET: "2", LIBRARY_TARGETS: file })]))

describe("targets", () => {
  it.effect("are the same for all but those that a rule is for, and the last rule counts", () =>
    Effect.gen(function* () {
      const wanted = yield* withRules([
        { style: "editorial", wanted: 5 },
        { gender: "female", pose: ["side", "walking"], wanted: 3 },
        { style: "editorial", gender: "female", pose: "side", wanted: 0 }
      ])
      const one = { gender: "male", age_range: "20-30", body_type: "slim", pose: "side", style: "casual" } as const
      assert.strictEqual(wanted(one), 2)
      assert.strictEqual(wanted({ ...one, style: "editorial" }), 5)
      assert.strictEqual(wanted({ ...one, gender: "female" }), 3)
      assert.strictEqual(wanted({ ...one, gender: "female", style: "editorial", pose: "walking" }), 3)
      assert.strictEqual(wanted({ ...one, gender: "female", style: "editorial" }), 0)
    })
  )

  it.effect("of a file with a mistake are no targets, and the mistake is named", () =>
    Effect.gen(function* () {
      for (const [rules, named] of [
        [[{ styel: "editorial", wanted: 5 }], "styel"],
        [[{ style: "vintage", wanted: 5 }], '["style"]'],
        [[{ style: "casual", wanted: -1 }], "wanted"],
        [[{ style: "casual" }], "wanted"],
        ["[", "JSON"]
      ] as const) {
        const error = yield* Effect.flip(withRules(rules))
        assert.include(error.message, named)
        assert.include(error.message, file)
      }
      const away = settings({ LIBRARY_TARGETS: "/nowhere/targets.json" })
      assert.include((yield* Effect.flip(Effect.provide(targets, [NodeFileSystem.layer, away]))).message, "/nowhere/targets.json")
    })
  )
})

describe("batch --fill --keep-full", () => {
  const world = Layer.mergeAll(
    TaskQueueMemory.layer.pipe(Layer.provideMerge(ResultStoreMemory.layer), Layer.provide(TaskQueueMemory.MemoryBroker.layer)),
    ReviewsMemory.layer.pipe(Layer.provideMerge(ModelLibraryMemory.layer)),
    Provider.catalogue,
    NodeFileSystem.layer
  ).pipe(Layer.provideMerge(identity()), Layer.provide(settings({ LIBRARY_TARGET: "1" })))

  it.effect("fills what is rejected, behind everything else in the queue, until its budget is spent", () =>
    Effect.gen(function* () {
      const five = combinations[5]!
      const { save } = yield* ModelLibrary
      const { decide } = yield* Reviews
      const taskQueue = yield* TaskQueue
      const inspector = yield* QueueInspector
      const picture = () =>
        save(
          aModel({ ...five, ageRange: five.age_range, bodyType: five.body_type, templateId: templateIdOf(five), version: null })
        )
      const reject = (modelId: string) =>
        decide({ id: randomUUID(), modelId, verdict: "rejected", reason: null, who: "anna", seen: null })
      const sent = Effect.map(inspector.find("", 100), ({ found }) => found.length)
      const first = yield* picture()
      const keeping = yield* Effect.forkChild(
        keepFull({ count: null, budget: "0.05", isMeant: (one) => one === five }, { save: true }).pipe(
          Effect.provide(settings({ LIBRARY_TARGET: "1" }))
        )
      )
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* sent, 0) // it waits for review
      yield* reject(first.id)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual((yield* inspector.status).queues[0]!.ready, { "0": 0, "3": 0, "6": 0, "9": 1 })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* sent, 1) // what is on its way is not asked for again
      const batch = yield* taskQueue.claim
      assert.strictEqual(batch._tag, "Some")
      if (batch._tag === "Some") yield* taskQueue.acknowledge(batch.value)
      yield* reject((yield* picture()).id)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* sent, 1)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(keeping)
      const said = yield* TestConsole.logLines
      assert.include(String(said[0]), "1 picture asked for")
      assert.deepStrictEqual(said.slice(2), ["the budget is used up"])
    }).pipe(Effect.provide(world))
  )
})
