import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as Message from "../../../src/programs/celery/Message.ts"
import { safeRepr } from "../../../src/programs/celery/pythonRepr.ts"
import * as Signature from "../../../src/programs/celery/canvas/Signature.ts"
import * as TaskEvent from "../../../src/programs/celery/TaskEvent.ts"
import * as TaskFailure from "../../../src/programs/celery/TaskFailure.ts"
import { UTC } from "../../../src/programs/celery/Time.ts"
import * as Arguments from "../../../src/programs/generation/tasks/Arguments.ts"
import * as Generate from "../../../src/programs/generation/tasks/generateModel.ts"
import { message } from "../../support.ts"
import { five } from "../world.ts"

// Every place where a text may be cut falls once before and once inside an emoji.
const texts = ["", "x"].map((start) => start + "😀".repeat(3000))

const failureOf = <A>(outcome: Effect.Effect<A, { readonly message: string }>) => Effect.map(Effect.flip(outcome), String)
const sayings: Record<string, (text: string) => Effect.Effect<string, unknown>> = {
  "an argument's name": (text) =>
    failureOf(Arguments.bind(Generate.Request, Generate.names, { args: [], kwargs: { ...five, [text]: 1 } })),
  "an argument given twice": (text) =>
    failureOf(Arguments.bind(Generate.Request, Generate.names, { args: [{ [text]: 1 }], kwargs: { [text]: 1 } })),
  "a header": (text) =>
    Effect.map(Effect.flip(Message.decode(message({ eta: text, headers: { [text]: 1 } }).raw, UTC)), (problem) =>
      problem._tag === "Undeliverable" ? problem.failure.message : problem.problem
    ),
  "a signature": (text) =>
    Effect.succeed(
      Result.getOrElse(Result.flip(Signature.read({ task: "a", options: { countdown: text } })), () => "it was understood")
    ),
  "an event of a failure": (text) =>
    Effect.succeed(JSON.parse(JSON.stringify(TaskEvent.failed("id", TaskFailure.validationError(text)))).exception),
  "an event of a result": (text) => Effect.succeed(safeRepr({ [text]: [text] })),
  "an event of what came broken": () => Effect.succeed(safeRepr(["\ud83d", { "\ude00": 1 }]))
}

describe("no text that leaves the worker has half a character in it, which Python could not print:", () => {
  for (const [name, said] of Object.entries(sayings)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        for (const text of texts) {
          const shown = yield* said(text)
          assert.isTrue(shown.isWellFormed(), shown.slice(-50))
        }
      })
    )
  }
})
