import { Effect, Layer } from "effect"
import * as GeneratorMemory from "../../src/layers/memory/GeneratorMemory.ts"
import { generatorContract, Ground } from "../contracts/generator.ts"

const ground = Layer.effect(
  Ground,
  Effect.gen(function* () {
    const script = yield* GeneratorMemory.GeneratorScript
    return Ground.of({
      next: (what) => {
        switch (what) {
          case "answer lost":
            return script.submits("lost")
          case "busy":
          case "locked":
            return script.submits(what)
          case "no id":
            return script.submits("unnamed")
          case "busy for a minute":
            return script.submits({ busyFor: 60 })
          case "endpoint refused":
            return script.submits("forbidden")
          case "flagged":
          case "unreadable":
            return script.jobs({ ends: what, after: 1000 })
          case "job fails":
            return script.jobs({ ends: "failed", after: 1000, type: "runner_disconnected" })
          case "content refused":
            return script.jobs({ ends: "refused", after: 1000, type: "content_policy_violation" })
          case "stuck":
            return script.jobs({ ends: "never" })
          case "cancel ignored":
            return script.ignoreCancels
          case "stream refused":
            return script.streams("refused")
          case "stream silent":
            return script.streams("silent")
          case "stream lies":
            return script.streams("lies")
        }
      },
      executions: Effect.map(script.ledger, (rows) => rows.length),
      streaming: (count) =>
        Effect.gen(function* () {
          while ((yield* script.listening) !== count) yield* Effect.yieldNow
        })
    })
  })
)

generatorContract("GeneratorMemory", Layer.provideMerge(ground, GeneratorMemory.layer))
