import { Effect, Option, Schema } from "effect"
import * as Bounded from "../Bounded.ts"
import type { Desk } from "./Desk.ts"
import { merge, mine } from "./revoked.ts"

const Greeting = Schema.Record(
  Schema.String,
  Schema.NullOr(
    Schema.Struct({
      clock: Schema.optionalKey(Schema.Unknown),
      revoked: Schema.optionalKey(Schema.NullOr(Bounded.Properties))
    })
  )
)
const decode = Schema.decodeUnknownOption(Greeting)

/** As long as a stock worker waits for its neighbours (milliseconds). */
const PATIENCE = 1000

/** Asks the neighbours what they know of revoked tasks and of the time (celery-wire 7). */
export const mingle = Effect.fn("remote.mingle")(function* (desk: Desk) {
  const revoked = yield* mine(desk)
  const question = {
    method: "hello",
    arguments: { from_node: desk.me.name, revoked },
    destination: null,
    clock: desk.lamport.forward(),
    patience: PATIENCE
  }
  const answers = yield* Effect.orElseSucceed(desk.fleet.ask(question), () => [])
  let neighbours = 0
  for (const { body, headers } of answers) {
    desk.lamport.adjust(headers["clock"])
    for (const [name, greeting] of Object.entries(Option.getOrElse(decode(body), () => ({})))) {
      if (greeting === null || name === desk.me.name) continue
      neighbours++
      desk.lamport.adjust(greeting.clock)
      yield* merge(desk, Object.keys(greeting.revoked ?? {}))
    }
  }
  if (neighbours > 0) yield* Effect.logInfo(`mingle: sync with ${neighbours} nodes`)
})
