import { Console, Effect, Result, type Schema } from "effect"
import * as NanoDollars from "../../services/NanoDollars.ts"
import { explain } from "../explain.ts"
import * as Cost from "../generation/purchase/cost.ts"
import { type Cell, cells, filling } from "../generation/tasks/gaps.ts"
import * as Parameters from "../generation/tasks/Parameters.ts"
import { targets } from "../generation/tasks/targets.ts"
import { send } from "./client.ts"
import { Failed, WrongUse } from "./outcome.ts"

/** What is to be filled, of all combinations: those of these values, so many pictures at most, for so many dollars. */
export interface Filling {
  readonly count: number | null
  readonly budget: string | null
  readonly isMeant: (five: Parameters.Five) => boolean
}

/** Behind everything else in the queue. */
export const LAST = 9
/** Pauses between two looks for new gaps. */
const EVERY = "1 minute"

const amountOf = Effect.fnUntraced(function* (budget: string) {
  const amount = NanoDollars.parse(budget)
  return amount === undefined
    ? yield* new WrongUse({ message: `--budget expects US dollars such as 3 or 0.50, not ${JSON.stringify(budget)}` })
    : amount
})

const priceOf = Effect.gen(function* () {
  const { each } = yield* Cost.estimateOf(1)
  return each === undefined ? yield* new WrongUse({ message: "--budget needs a model whose list price is known" }) : each
})

const standing = Effect.flatMap(targets, cells)
const chosenOf = ({ count, isMeant }: Filling, all: ReadonlyArray<Cell>, affordable: number) =>
  filling(
    all.filter(({ five }) => isMeant(five)),
    Math.min(count ?? Parameters.MOST_AT_ONCE, Parameters.MOST_AT_ONCE, affordable)
  )

/** What the library lacks now of what is wanted. */
export const gapsOf = Effect.fn("batch.gapsOf")(function* (wish: Filling) {
  const affordable =
    wish.budget === null ? Number.POSITIVE_INFINITY : Math.floor((yield* amountOf(wish.budget)) / (yield* priceOf))
  const { batches, cells: all } = yield* standing
  if (batches > 0)
    return yield* new Failed({
      message: "a batch waits in the queue, whose pictures are not counted yet: fill once it is sent out"
    })
  return chosenOf(wish, all, affordable)
})

/**
 * Looks every minute for what is missing, as after a rejection, and has it made, behind everything else in the queue, until the budget
 * is used up. What is on its way counts as there, so nothing is asked for twice; a server that does not answer is asked again.
 */
export const keepFull = Effect.fn("batch.keepFull")(function* (
  wish: Filling & { readonly budget: string },
  more: Schema.JsonObject
) {
  const each = yield* priceOf
  /** Asks for what is missing and can be paid of so much, and gives what is left then. */
  const fill = Effect.fnUntraced(function* (left: NanoDollars.NanoDollars) {
    const { batches, cells: all } = yield* standing
    const chosen = batches > 0 ? [] : chosenOf(wish, all, Math.floor(left / each))
    if (chosen.length === 0) return left
    const id = yield* send("batch_generate", { ...more, templates: chosen.map((five) => ({ ...five })) }, {}, LAST)
    const rest = NanoDollars.NanoDollars.make(left - each * chosen.length)
    const many = chosen.length === 1 ? "1 picture" : `${chosen.length} pictures`
    yield* Console.log(`${many} asked for (batch_generate ${id}); ${NanoDollars.dollars(rest)} of the budget are left`)
    return rest
  })
  for (let left = yield* amountOf(wish.budget); left >= each; yield* Effect.sleep(EVERY)) {
    const filled = yield* Effect.result(fill(left))
    if (Result.isSuccess(filled)) left = filled.success
    else if (filled.failure._tag === "BadTargets") return yield* filled.failure
    else yield* Console.error(`not looked: ${explain(filled.failure)}`)
  }
  yield* Console.log("the budget is used up")
})
