import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, References } from "effect"
import { jsonLine } from "../../../src/layers/process/Logging.ts"
import { five, makeWorld } from "../world.ts"

type World = Effect.Success<typeof makeWorld>

/** The lines of the log that tell of a task, without their times. */
const linesOf = <A>(story: (world: World) => Effect.Effect<A, never, import("effect").Scope.Scope>) =>
  Effect.gen(function* () {
    const lines: Array<Record<string, unknown>> = []
    const collect = Logger.make((options) => void lines.push(JSON.parse(jsonLine.log(options)) as Record<string, unknown>))
    yield* Effect.flatMap(makeWorld, story).pipe(
      Effect.provide(Logger.layer([collect])),
      Effect.provideService(References.MinimumLogLevel, "Info")
    )
    return lines.filter((line) => "event" in line)
  })

describe("the log of a task", () => {
  it.effect("that goes well is a line when it begins and one when it ends, with its seconds and what it cost", () =>
    Effect.gen(function* () {
      let id = ""
      const lines = yield* linesOf(({ seconds, send, start }) =>
        Effect.gen(function* () {
          yield* start()
          id = yield* send()
          yield* seconds(30)
        })
      )
      assert.deepStrictEqual(
        lines.map(({ event, id: of, task }) => [event, of, task]),
        [
          ["started", id, "generate_model"],
          ["succeeded", id, "generate_model"]
        ]
      )
      assert.strictEqual(lines[1]!["cost_usd"], 0.025)
      assert.isAbove(Number(lines[1]!["seconds"]), 0)
      assert.notProperty(lines[0], "cost_usd")
    })
  )

  it.effect("that fails says of what, and no cost where nothing was paid", () =>
    Effect.gen(function* () {
      const lines = yield* linesOf(({ seconds, send, start }) =>
        Effect.gen(function* () {
          yield* start()
          yield* send({ kwargs: { ...five, gender: "robot" } })
          yield* seconds(30)
        })
      )
      assert.deepStrictEqual(
        lines.map(({ event }) => event),
        ["started", "failed"]
      )
      assert.deepInclude(lines[1], { exception: "ValidationError", level: "WARN" })
      assert.match(String(lines[1]!["error"]), /gender/)
      assert.notProperty(lines[1], "cost_usd")
    })
  )
})
