import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { diagnose } from "../../../src/programs/commands/diagnosis.ts"
import { surveyHere } from "../../../src/programs/commands/survey.ts"
import { console_ } from "./stage.ts"
import { visitor } from "./visiting.ts"

it.live("the page of health says what the command health says, and what to do about it", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const rows = diagnose(yield* surveyHere(Effect.succeed([])))
      const { ask, signIn } = yield* visitor
      yield* signIn("vera")
      const { text } = yield* ask("/health")
      assert.isAbove(rows.length, 8)
      for (const { advice, what } of rows) {
        assert.include(text, what)
        assert.include(text, advice)
      }
      assert.match(text, /Not healthy: [^<]*workers/) // nobody takes the tasks of this stage
    }).pipe(Effect.provide(console_()))
  )
)
