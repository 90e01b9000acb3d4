import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Changes from "../../../src/programs/console/Changes.ts"
import { Budget } from "../../../src/services/Budget.ts"
import { Publisher } from "../../../src/services/Publisher.ts"
import { QueueInspector } from "../../../src/services/QueueInspector.ts"
import { Reviews } from "../../../src/services/Reviews.ts"
import { TaskLives } from "../../../src/services/TaskLives.ts"
import { message, timed } from "../../support.ts"
import { address, console_ } from "./stage.ts"
import { visitor } from "./visiting.ts"

const unused = Effect.die("only the library is followed here")

describe("pages that follow what happens", () => {
  it.effect("share one look, which is made only while somebody looks", () =>
    Effect.gen(function* () {
      const seen = { looks: 0, state: "one" }
      const world = Layer.mergeAll(
        Layer.mock(Reviews, {
          state: Effect.sync(() => {
            seen.looks++
            return seen.state
          })
        }),
        Layer.mock(Budget, { status: unused }),
        Layer.mock(QueueInspector, { status: unused }),
        Layer.mock(TaskLives, { recent: () => unused })
      )
      yield* Effect.gen(function* () {
        const changes = yield* Changes.Changes
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(seen.looks, 0)
        const told = [0, 0]
        const viewers = yield* Effect.forEach([0, 1], (n) =>
          Effect.forkChild(Stream.runForEach(changes.of(["library"]), () => Effect.sync(() => told[n]!++)))
        )
        const seconds = (count: number) => Effect.repeat(TestClock.adjust("100 millis"), { times: count * 10 - 1 })
        yield* seconds(4)
        assert.deepStrictEqual(told, [1, 1])
        assert.approximately(seen.looks, 10, 2)
        seen.state = "two"
        yield* seconds(1)
        assert.deepStrictEqual(told, [2, 2])
        yield* Effect.forEach(viewers, Fiber.interrupt)
        const before = seen.looks
        yield* seconds(60)
        assert.strictEqual(seen.looks, before)
      }).pipe(Effect.provide(Changes.layer.pipe(Layer.provide(world))))
    })
  )

  it.live(
    "hear within a second of what has happened, and nobody hears it who has not signed in",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { ask, cookie, signIn } = yield* visitor
          assert.strictEqual((yield* ask("/events?about=work", { headers: { accept: "application/json" } })).status, 401)
          yield* signIn("vera")
          assert.strictEqual((yield* ask("/events?about=nothing")).status, 400)
          assert.include((yield* ask("/work")).text, 'data-live="/events?about=work"')
          const base = yield* address
          const answer = yield* Effect.promise((signal) =>
            fetch(`${base}/events?about=work`, { headers: { cookie: cookie() }, signal })
          )
          assert.strictEqual(answer.headers.get("content-type"), "text/event-stream")
          const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
          yield* Effect.addFinalizer(() => Effect.promise(() => reader.cancel()))
          const next = Effect.map(
            Effect.promise(() => reader.read()),
            ({ value }) => value
          )
          assert.strictEqual(yield* next, "retry: 1000\n\n")
          assert.strictEqual(yield* next, "data:\n\n")
          const heard = yield* Effect.forkChild(next)
          const publisher = yield* Publisher
          yield* publisher.publish([message({ id: "new" })])
          const [took, said] = yield* Effect.timed(Effect.timeoutOption(Fiber.join(heard), "5 seconds"))
          assert.deepStrictEqual(said, Option.some("data:\n\n"))
          assert.isBelow(Duration.toMillis(took), 1000)
        }).pipe(Effect.provide(console_()))
      ),
    timed(10_000)
  )
})
