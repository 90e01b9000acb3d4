import { Console, Effect, Stdio } from "effect"
import { Prompt } from "effect/cli"
import * as NanoDollars from "../../services/NanoDollars.ts"
import * as Settings from "../../services/Settings.ts"
import * as Cost from "../generation/purchase/cost.ts"
import { Failed, WrongUse } from "./outcome.ts"

/** Asks before more than BATCH_ASK_ABOVE is spent, or what nobody can tell. Fails where the answer is no, or nobody can be asked. */
export const mayCost = Effect.fn("client.mayCost")(function* (cost: Cost.Estimate, pictures: number, json: boolean) {
  const { BATCH_ASK_ABOVE } = yield* Settings.of("BATCH_ASK_ABOVE").pipe(Effect.orDie) // a command checks its settings first
  if (cost.total !== undefined && cost.total <= BATCH_ASK_ABOVE) return
  const says = `up to ${pictures} pictures, ${Cost.describe(cost, pictures)}`
  const stdio = yield* Stdio.Stdio
  if (json || !(yield* stdio.stdinIsTerminal) || !(yield* stdio.stdoutIsTerminal))
    return yield* new WrongUse({
      message: `${says}: ${cost.total === undefined ? "not known to be less" : "more"} than BATCH_ASK_ABOVE (${NanoDollars.dollars(BATCH_ASK_ABOVE)}), and there is no terminal to ask at. Nothing was sent; --yes sends them`
    })
  yield* Console.log(says)
  if (!(yield* Prompt.run(Prompt.Confirm({ message: "Send them?" })))) return yield* new Failed({ message: "nothing was sent" })
})
