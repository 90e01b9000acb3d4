import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import * as FalCatalogue from "../../../src/layers/fal/FalCatalogue.ts"
import * as FalLimitsMemory from "../../../src/layers/memory/FalLimitsMemory.ts"
import * as JournalMemory from "../../../src/layers/memory/JournalMemory.ts"
import * as MetricsMemory from "../../../src/layers/memory/MetricsMemory.ts"
import * as TaskQueueMemory from "../../../src/layers/memory/TaskQueueMemory.ts"
import { refresh } from "../../../src/programs/worker/gauges.ts"
import { Journal } from "../../../src/services/Journal.ts"
import { Metrics } from "../../../src/services/Metrics.ts"
import { QueueError } from "../../../src/services/QueueError.ts"
import { QueueInspector } from "../../../src/services/QueueInspector.ts"
import { Vitals } from "../../../src/services/Vitals.ts"
import { valueOf } from "../../contracts/metrics.ts"
import { intended } from "../../contracts/journal.ts"
import { everyRole } from "../../roles.ts"
import { identity, message, settings } from "../../support.ts"
import { inMemory } from "../../layers/queues.ts"

const world = Layer.mergeAll(
  Layer.merge(inMemory, Layer.fresh(JournalMemory.layer)).pipe(Layer.provide(TaskQueueMemory.MemoryBroker.layer)),
  MetricsMemory.layer,
  FalLimitsMemory.layer,
  FalCatalogue.layer,
  Vitals.layer
).pipe(Layer.provideMerge(Layer.mergeAll(identity("celery@one"), settings({}))))

const scraped = Effect.gen(function* () {
  yield* refresh
  const { expose } = yield* Metrics
  const { body } = yield* expose
  return (series: string) => valueOf(body, series)
})
const slots = "slots_busy"
const waiting = (priority: number) => `queue_messages{queue="generator_queue",priority="${priority}"}`

it.effect("a scrape sees what lies on the broker, and keeps it while the broker is away", () =>
  Effect.gen(function* () {
    const queue = yield* everyRole
    yield* queue.publish([message({ id: "a" }), message({ id: "b" }), message({ id: "c", priority: 6 })])
    const delivery = Option.getOrThrow(yield* queue.claim)
    yield* Effect.flatMap(Journal, ({ advance }) => advance("a", intended))
    const held = yield* scraped
    assert.deepStrictEqual([held(waiting(0)), held(waiting(6)), held("messages_unacknowledged")], [1, 1, 1])
    assert.deepStrictEqual(
      ["Intended", "Submitted", "Generated"].map((state) => held(`journal_generations{state="${state}"}`)),
      [1, 0, 0]
    )
    assert.strictEqual(held("clock_ahead_seconds"), 0)
    yield* queue.bury(delivery, { reason: "tired", error: "" })
    const now = yield* scraped
    assert.deepStrictEqual([now('queue_dead_letters{queue="generator_queue"}'), now("messages_unacknowledged")], [1, 0])
    assert.deepStrictEqual([now("broker_up"), now(slots)], [1, 0])

    for (const status of [Effect.fail(new QueueError({ operation: "status", cause: "away" })), Effect.never]) {
      const fiber = yield* Effect.forkChild(
        Effect.provideService(scraped, QueueInspector, { ...(yield* QueueInspector), status })
      )
      yield* TestClock.adjust("1 second")
      const away = yield* Fiber.join(fiber)
      assert.deepStrictEqual([away("broker_up"), away(waiting(0))], [0, 1])
    }
  }).pipe(Effect.provide(world))
)

it.effect("a worker is healthy from its first lease on, while it proves that it consumes", () =>
  Effect.gen(function* () {
    const vitals = yield* Vitals
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* scraped)("healthy"), 0)
    vitals.lastBeat = 1000
    assert.strictEqual((yield* scraped)("healthy"), 0) // it holds its lease, and has not heard of all it needs
    vitals.notReady = ""
    assert.strictEqual((yield* scraped)("healthy"), 1)
    yield* TestClock.adjust("31 seconds")
    assert.strictEqual((yield* scraped)("healthy"), 0)
    vitals.lastBeat = 32_000
    assert.strictEqual((yield* scraped)("healthy"), 0)
    vitals.lastLook = 32_000
    assert.strictEqual((yield* scraped)("healthy"), 1)
    vitals.paused = "fal account"
    assert.strictEqual((yield* scraped)("healthy"), 0)
  }).pipe(Effect.provide(world))
)
