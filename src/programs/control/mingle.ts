import { Effect, Option, Schema } from "effect"
import * as Bounded from "../../wire/Bounded.ts"
import type { ControlledWorker } from "./ControlledWorker.ts"
import { merge, mine } from "./revokedIds.ts"
import { nullish } from "../../wire/nullish.ts"

const Greeting = Schema.Record(
  Schema.String,
  Schema.NullOr(
    Schema.Struct({
      clock: Schema.optionalKey(Schema.Unknown),
      revoked: nullish(Bounded.Properties)
    })
  )
)
const decode = Schema.decodeUnknownOption(Greeting)

/** As long as a stock worker waits for its neighbours (milliseconds). */
const PATIENCE = 1000

/** Asks the neighbours what they know of revoked tasks and of the time. */
export const mingle = Effect.fn("remote.mingle")(function* (worker: ControlledWorker) {
  const revoked = yield* mine(worker)
  const question = {
    method: "hello",
    arguments: { from_node: worker.me.name, revoked },
    destination: null,
    clock: worker.lamport.forward(),
    patience: PATIENCE
  }
  const answers = yield* Effect.orElseSucceed(worker.fleet.ask(question), () => [])
  let neighbours = 0
  for (const { body, headers } of answers) {
    worker.lamport.adjust(headers["clock"])
    for (const [name, greeting] of Object.entries(Option.getOrElse(decode(body), () => ({})))) {
      if (greeting === null || name === worker.me.name) continue
      neighbours++
      worker.lamport.adjust(greeting.clock)
      yield* merge(worker, Object.keys(greeting.revoked ?? {}))
    }
  }
  if (neighbours > 0) yield* Effect.logInfo(`mingle: sync with ${neighbours} nodes`)
})
