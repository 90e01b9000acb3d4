import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Logger, Redacted, References } from "effect"
import { jsonLine } from "../../src/layers/process/Logging.ts"

/** What `log` writes, each line read. */
const written = (log: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const collect = Logger.make((options) => void lines.push(jsonLine.log(options)))
    yield* log.pipe(Effect.provide(Logger.layer([collect])), Effect.provideService(References.MinimumLogLevel, "Trace"))
    assert.isTrue(lines.every((line) => !line.includes("\n")))
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  })

describe("a line of the log", () => {
  it.effect("is one object: the message a text, annotations and data fields beside it", () =>
    Effect.gen(function* () {
      const [line] = yield* written(
        Effect.logWarning("task failed", { event: "failed", seconds: 1.5 }).pipe(Effect.annotateLogs({ task: "t", id: "1" }))
      )
      const { timestamp, ...rest } = line!
      assert.deepStrictEqual(rest, { level: "WARN", message: "task failed", task: "t", id: "1", event: "failed", seconds: 1.5 })
      assert.isFalse(Number.isNaN(Date.parse(String(timestamp))))
    })
  )

  it.effect("has an error as a text, and where a defect came from", () =>
    Effect.gen(function* () {
      const lines = yield* written(
        Effect.andThen(
          Effect.logError("cannot reach", new Error("refused\nby it")),
          Effect.andThen(
            Effect.logError("a failure", Cause.fail(new Error("no"))),
            Effect.logError("a defect", Cause.die(new TypeError("x is no function")))
          )
        )
      )
      assert.deepStrictEqual(
        lines.map(({ error, message, stack }) => [message, error, stack === undefined]),
        [
          ["cannot reach", "refused\nby it", true],
          ["a failure", "no", true],
          ["a defect", "x is no function", false]
        ]
      )
    })
  )

  it.effect("never shows a secret, and closes a circle", () =>
    Effect.gen(function* () {
      const circle: Record<string, unknown> = { secret: Redacted.make("s3cret") }
      circle["self"] = circle
      const lines = yield* written(
        Effect.andThen(Effect.logInfo("one", { key: Redacted.make("s3cret") }), Effect.logInfo("two", { inside: circle }))
      )
      assert.lengthOf(lines, 2)
      assert.notInclude(JSON.stringify(lines), "s3cret")
    })
  )

  it.effect("keeps its own fields, whatever else is logged", () =>
    Effect.gen(function* () {
      const [line] = yield* written(Effect.logInfo("one", 2, { list: [1], message: "x" }))
      assert.deepInclude(line, { level: "INFO", message: "one 2", list: [1] })
    })
  )
})
