import { Effect, type Layer } from "effect"
import { Budget, leftOf, nameOf, type Standing } from "../../services/Budget.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"
import type { Estimate } from "../generation/purchase/cost.ts"
import * as Display from "./Display.ts"

const PATIENCE = "3 seconds"

export interface Waiting {
  /** How many of the pictures find no money now. */
  readonly pictures: number
  readonly says: string
}

/** What of so many pictures the budgets that count for them have no money for; undefined where all can be made. */
export const waitingOf = (
  standings: ReadonlyArray<Standing>,
  { each, model }: Estimate,
  pictures: number
): Waiting | undefined => {
  if (each === undefined || each === 0) return undefined
  const [tight] = standings
    .filter(({ subject }) => subject === "all" || subject === `model:${model}`)
    .flatMap((standing) => {
      const left = leftOf(standing)
      return left === null ? [] : [{ standing, left, waiting: pictures - Math.floor(left / each) }]
    })
    .filter(({ waiting }) => waiting > 0)
    .toSorted((one, other) => other.waiting - one.waiting)
  if (tight === undefined) return undefined
  const { left, standing, waiting } = tight
  return {
    pictures: waiting,
    says:
      `${waiting} of ${pictures} will wait for money: ${nameOf(standing)} has ${NanoDollars.dollars(left)} left ` +
      `until ${Display.minute(standing.ends)}`
  }
}

/** The same, asked of the fleet's budget. A Redis that does not answer says nothing: to send is what will fail then. */
export const waitForMoney = <E>(budget: Layer.Layer<Budget, E>, estimate: Estimate, pictures: number) =>
  Budget.pipe(
    Effect.flatMap(({ status }) => status),
    Effect.map(({ standings }) => waitingOf(standings, estimate, pictures)),
    Effect.provide(budget),
    Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.void }),
    Effect.orElseSucceed(() => undefined)
  )
