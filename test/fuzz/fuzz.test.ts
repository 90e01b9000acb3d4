/**
 * For a few seconds each, always the same cases: what a client, a neighbour, fal or an operator may send never throws. By hand
 * for longer, with others: `npm run fuzz -- --seconds 600`; one case again: `npm run fuzz -- --seed N --only NAME`.
 */
import { describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, References } from "effect"
import { Dice } from "../simulation/Dice.ts"
import { answersTarget } from "./answers.ts"
import { argumentsTarget } from "./arguments.ts"
import { canvasesTarget } from "./canvases.ts"
import { verdictsTarget } from "./verdicts.ts"
import { controlTarget, workerTarget } from "./fleets.ts"
import { messagesTarget } from "./messages.ts"
import { settingsTarget } from "./settings.ts"

const targets: Readonly<Record<string, (dice: Dice) => Effect.Effect<void, unknown>>> = {
  messages: messagesTarget,
  canvases: canvasesTarget,
  arguments: argumentsTarget,
  control: controlTarget,
  worker: workerTarget,
  answers: answersTarget,
  verdicts: verdictsTarget,
  settings: settingsTarget
}

const { FUZZ_ONLY: only, FUZZ_SECONDS: seconds, FUZZ_SEED: seed } = process.env
const each = (seconds === undefined ? 2 : Number(seconds) / (only === undefined ? Object.keys(targets).length : 1)) * 1000
/** Hundreds of times what a case takes on a quiet machine, and still no more than a worker may stand still (milliseconds). */
const LONGEST = 5000

describe("whatever is sent is understood or refused in words", () => {
  for (const [name, target] of Object.entries(targets)) {
    it.live.skipIf(only !== undefined && only !== name)(
      name,
      () =>
        Effect.gen(function* () {
          const began = performance.now()
          // By hand other cases than among the tests.
          const first = seed === undefined ? (seconds === undefined ? 1 : Math.floor(began) * 1_000_000 + 1) : Number(seed)
          let slowest = { took: 0, seed: first }
          let done = 0
          for (let number = first; done === 0 || performance.now() - began < each; number++, done++) {
            const started = performance.now()
            const exit = yield* Effect.exit(Effect.suspend(() => target(new Dice(number)))).pipe(
              Effect.provideService(References.MinimumLogLevel, "None")
            )
            const took = performance.now() - started
            if (took > slowest.took) slowest = { took, seed: number }
            const again = `npm run fuzz -- --seed ${number} --only ${name}`
            if (Exit.isFailure(exit)) return yield* Effect.die(new Error(`${Cause.pretty(exit.cause)}\n${again}`))
            if (took > LONGEST) return yield* Effect.die(new Error(`took ${Math.round(took)} ms\n${again}`))
            if (seed !== undefined) break
          }
          if (seconds !== undefined)
            yield* Effect.logInfo(
              `${name}: ${done} cases, the slowest took ${Math.round(slowest.took)} ms (seed ${slowest.seed})`
            )
        }),
      each + 60_000
    )
  }
})
