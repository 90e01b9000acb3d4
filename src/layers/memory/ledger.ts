import { Effect } from "effect"
import {
  type Bill,
  type Booked,
  costOf,
  type Grouping,
  type Ledger,
  type Period,
  type Row,
  sourceOf
} from "../../services/Ledger.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"

const keyOf = (by: Grouping, row: Row) => {
  switch (by) {
    case "day":
      return new Date(row.at).toISOString().slice(0, 10)
    case "month":
      return new Date(row.at).toISOString().slice(0, 7)
    default:
      return row[by]
  }
}
const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0)
const inOrder = (one: Pick<Row, "taskId" | "attempt" | "at">, other: Pick<Row, "taskId" | "attempt" | "at">) =>
  one.at - other.at || compare(one.taskId, other.taskId) || compare(one.attempt, other.attempt)

/** A ledger in this process. `add` is one step with whatever its caller does beside it. */
export const make = () => {
  const rows = new Map<string, Row>()
  const bills = new Map<string, Bill>()
  const booked = (row: Row): Booked => ({
    ...row,
    billed: row.requestId === null ? null : (bills.get(row.requestId)?.cost ?? null)
  })
  const add = (added: ReadonlyArray<Row>) => {
    for (const row of added) {
      const key = JSON.stringify([row.taskId, row.attempt])
      if (!rows.has(key)) rows.set(key, row)
    }
  }
  const within = ({ since, until }: Period) =>
    [...rows.values()]
      .filter(({ at }) => (since === null || at >= since) && (until === null || at < until))
      .toSorted(inOrder)
      .map(booked)
  const some = (fits: (row: Row) => boolean) =>
    Effect.sync(() => [...rows.values()].filter(fits).toSorted(inOrder).slice(0, 100).map(booked))
  const ledger: Ledger["Service"] = {
    record: (added) => Effect.sync(() => add(added)),
    bill: (added) =>
      Effect.sync(() => {
        for (const bill of added) if (!bills.has(bill.requestId)) bills.set(bill.requestId, bill)
      }),
    ofTask: (taskId) => some((row) => row.taskId === taskId),
    ofRequest: (requestId) => some((row) => row.requestId === requestId),
    claimed: (requestIds) =>
      Effect.sync(() => {
        const booked = new Set([...rows.values()].map(({ requestId }) => requestId))
        return new Set(requestIds.filter((id) => booked.has(id)))
      }),
    totals: (by, period) =>
      Effect.sync(() => {
        const groups = new Map<string, Array<Booked>>()
        for (const row of within(period)) groups.set(keyOf(by, row), [...(groups.get(keyOf(by, row)) ?? []), row])
        return [...groups]
          .toSorted(([one], [other]) => compare(one, other))
          .map(([key, all]) => ({
            key,
            requests: all.length,
            cost: NanoDollars.sum(all.flatMap((row) => costOf(row) ?? [])),
            estimated: NanoDollars.sum(all.flatMap((row) => (sourceOf(row) === "estimate" ? (row.cost ?? []) : []))),
            unpriced: all.filter((row) => costOf(row) === null).length
          }))
      }),
    list: (period, after, limit) =>
      Effect.sync(() =>
        within(period)
          .filter((row) => after === null || inOrder(row, after) > 0)
          .slice(0, limit)
      )
  }
  return { ledger, add }
}
