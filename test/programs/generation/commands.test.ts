/** What a picture costs at Redis, beside what its message does. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as FalLimitsRedis from "../../../src/layers/redis/FalLimitsRedis.ts"
import * as GeneratorMemory from "../../../src/layers/memory/GeneratorMemory.ts"
import * as JournalRedis from "../../../src/layers/redis/JournalRedis.ts"
import * as ModelLibraryMemory from "../../../src/layers/memory/ModelLibraryMemory.ts"
import * as MetricsMemory from "../../../src/layers/memory/MetricsMemory.ts"
import { payOnce } from "../../../src/programs/generation/purchase/payOnce.ts"
import { PORTRAIT } from "../../../src/services/Catalogue.ts"
import { nothingKnown } from "../../../src/programs/task/Task.ts"
import { commandsAt, describeWith, ownRedis } from "../../servers/index.ts"
import { identity, settings, uniqueId } from "../../support.ts"

const request = { _tag: "Generate", prompt: "p", seed: 7, size: PORTRAIT } as const
const wanted = Effect.succeed({ request, note: undefined })
const payer = () => ({
  id: uniqueId(),
  rootId: "root",
  caller: () => "gen@test",
  timeLimit: 300,
  digest: () => "digest",
  knowledge: nothingKnown()
})

describeWith(["redis"], "with a Redis server", () => {
  const buying = Effect.gen(function* () {
    const url = (yield* ownRedis).url() // a monitor hears all that its server does
    const commands = yield* commandsAt(url)
    const context = yield* Layer.build(
      Layer.mergeAll(JournalRedis.layer, FalLimitsRedis.layer, GeneratorMemory.layer, ModelLibraryMemory.layer).pipe(
        Layer.provideMerge(MetricsMemory.layer),
        Layer.provideMerge(Layer.merge(identity(), settings({ CELERY_BROKER_URL: url }))),
        Layer.fresh,
        Layer.orDie
      )
    )
    const buy = Effect.provideContext(
      Effect.suspend(() => payOnce(payer(), wanted, Effect.void)),
      context
    )
    return { buy, commands, context }
  })

  it.live("one look, one question to the gate, the intent, the request id and the picture: five commands", () =>
    Effect.gen(function* () {
      const { buy, commands } = yield* buying
      for (let n = 0; n < 2; n++) {
        yield* buy
        assert.lengthOf(yield* commands(), 5)
      }
    })
  )

  it.live("after a submit that failed the circuit is asked and told, until one goes well", () =>
    Effect.gen(function* () {
      const { buy, commands, context } = yield* buying
      yield* Effect.flatMap(GeneratorMemory.GeneratorScript, ({ submits }) => submits("away")).pipe(
        Effect.provideContext(context)
      )
      yield* Effect.flip(buy)
      yield* commands()
      yield* buy
      assert.lengthOf(yield* commands(), 9)
      yield* buy
      assert.lengthOf(yield* commands(), 5)
    })
  )
})
