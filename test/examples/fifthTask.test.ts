import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makePortrait } from "../../examples/fifth-task/makePortrait.ts"
import { registryOf } from "../../src/programs/registry.ts"
import { workerOf } from "../../src/programs/worker/worker.ts"
import { empty, makeWorld } from "../programs/world.ts"

const world = Effect.map(makeWorld, (made) => ({
  ...made,
  start: made.start({ worker: workerOf(registryOf([makePortrait])) })
}))

describe("the fifth task of examples/", () => {
  for (const task of ["make_portrait", "app.tasks.make_portrait", "tasks.make_portrait"])
    it.effect(`is run as ${task}, and pays for one picture`, () =>
      Effect.gen(function* () {
        const { counts, ledger, seconds, send, start, success } = yield* world
        yield* start
        const id = yield* send({ task, kwargs: { mood: "calm" } })
        yield* seconds(30)
        assert.strictEqual((yield* success(id))["status"], "completed")
        assert.strictEqual((yield* ledger).length, 1)
        assert.deepStrictEqual(yield* counts, empty)
      })
    )

  it.effect("takes its arguments in order", () =>
    Effect.gen(function* () {
      const { ledger, seconds, send, start } = yield* world
      yield* start
      yield* send({ task: "make_portrait", args: ["happy", 7], kwargs: {} })
      yield* seconds(30)
      assert.deepStrictEqual(
        (yield* ledger).map(({ input }) => [input["prompt"], input["seed"]]),
        [["portrait of a fashion model, happy", 7]]
      )
    })
  )

  it.effect("names an argument that is wrong, and pays nothing", () =>
    Effect.gen(function* () {
      const { failure, ledger, seconds, send, start } = yield* world
      yield* start
      const id = yield* send({ task: "make_portrait", kwargs: { mood: "angry" } })
      yield* seconds(30)
      const { message, type } = yield* failure(id)
      assert.strictEqual(type, "ValidationError")
      assert.match(message, /^mood: .*angry/)
      assert.strictEqual((yield* ledger).length, 0)
    })
  )

  it.effect("killed after its request was taken, it is taken up again and not paid for twice", () =>
    Effect.gen(function* () {
      const { ledger, seconds, send, start, success } = yield* world
      const first = yield* start
      const id = yield* send({ task: "make_portrait", kwargs: { mood: "calm" } })
      yield* seconds(1)
      assert.strictEqual((yield* ledger).length, 1)
      yield* first.kill
      yield* start
      yield* seconds(120)
      assert.strictEqual((yield* success(id))["status"], "completed")
      assert.strictEqual((yield* ledger).length, 1)
    })
  )
})
