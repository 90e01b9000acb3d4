import { Effect, Schema } from "effect"
import { type Found, headersOf, QueueInspector } from "../../../services/QueueInspector.ts"
import { Reviews } from "../../../services/Reviews.ts"
import * as Parameters from "./Parameters.ts"
import { plan } from "./plan.ts"
import type { Targets } from "./targets.ts"

/** How one of the 288 combinations stands. */
export interface Cell {
  readonly five: Parameters.Five
  readonly templateId: string
  /** So many are to be approved. */
  readonly wanted: number
  readonly approved: number
  readonly undecided: number
  readonly rejected: number
  /** Tasks that wait or run and will bring a picture of it. */
  readonly inFlight: number
  /** How many are to be made, so that as many as are wanted are approved or may be. */
  readonly missing: number
}

/** More tasks than this are not looked at. */
const MOST_TASKS = 10_000

const isFive = Schema.is(Parameters.Five)
const named = (found: Found, task: string) =>
  [task, `tasks.${task}`, `app.tasks.${task}`].includes(String(headersOf(found)["task"]))

/** The combination that a waiting task is of, by Python's repr of its arguments, which is all of them that is looked at. */
const fiveOf = (found: Found): Parameters.Five | undefined => {
  const repr = headersOf(found)["kwargsrepr"]
  if (typeof repr !== "string" || !named(found, "generate_model")) return undefined
  const value = (key: string) => new RegExp(`'${key}': '([^'\\\\]*)'`).exec(repr)?.[1]
  const five = Object.fromEntries(Object.keys(Parameters.five).map((key) => [key, value(key)]))
  return isFive(five) ? five : undefined
}

/**
 * All combinations, where each is to have as many approved pictures as `targets` says. Pictures that nobody has decided on and tasks on their way
 * count as if they were approved. `batches`: batches that wait, whose pictures nobody can count yet; `all`: all tasks were looked at.
 */
export const cells = Effect.fn("generation.cells")(function* (targets: Targets) {
  const reviews = yield* Reviews
  const inspector = yield* QueueInspector
  const ids = Parameters.combinations.map(Parameters.templateIdOf)
  const [tallies, { all, found }] = yield* Effect.all([reviews.tally(ids), inspector.find("", MOST_TASKS)], { concurrency: 2 })
  const tally = new Map(tallies.map((one) => [one.templateId, one]))
  const coming = new Map<string, number>()
  for (const one of found) {
    const five = fiveOf(one)
    if (five === undefined) continue
    const id = Parameters.templateIdOf(five)
    coming.set(id, (coming.get(id) ?? 0) + 1)
  }
  return {
    all: all && found.length < MOST_TASKS,
    batches: found.filter((one) => named(one, "batch_generate")).length,
    cells: Parameters.combinations.map((five): Cell => {
      const templateId = Parameters.templateIdOf(five)
      const { approved, rejected, undecided } = tally.get(templateId) ?? { approved: 0, rejected: 0, undecided: 0 }
      const inFlight = coming.get(templateId) ?? 0
      const wanted = targets(five)
      return {
        five,
        templateId,
        wanted,
        approved,
        undecided,
        rejected,
        inFlight,
        missing: Math.max(0, wanted - approved - undecided - inFlight)
      }
    })
  }
})

/** What fills the gaps: at most `most` combinations, one for each picture, spread over the values from the first on. */
export const filling = (all: ReadonlyArray<Cell>, most: number): ReadonlyArray<Parameters.Five> => {
  const chosen: Array<Parameters.Five> = []
  for (let round = 1; chosen.length < most; round++) {
    const open = all.filter(({ missing }) => missing >= round).map(({ five }) => five)
    if (open.length === 0) break
    chosen.push(...plan.choose(open, new Set(), most - chosen.length, true))
  }
  return chosen
}
