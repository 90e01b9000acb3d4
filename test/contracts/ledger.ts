import { assert, layer as withLayer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { randomUUID } from "node:crypto"
import { type Booked, costOf, Ledger, type Period, sourceOf } from "../../src/services/Ledger.ts"
import { ModelLibrary } from "../../src/services/ModelLibrary.ts"
import * as NanoDollars from "../../src/services/NanoDollars.ts"
import { aModel } from "./modelLibrary.ts"

const { usd } = NanoDollars
/** As it is read again: no bill has come. */
export const aRow = (over: Partial<Booked> = {}): Booked => ({
  taskId: randomUUID(),
  attempt: "0.123456789012345",
  rootId: "root",
  caller: "gen@app",
  model: "fal-ai/flux/dev",
  requestId: randomUUID(),
  units: 1,
  price: usd("0.025"),
  cost: usd("0.025"),
  source: "units",
  outcome: "used",
  at: 0,
  billed: null,
  ...over
})

/** A day that no other test's rows are in. */
let days = 0
const aDay = (): Period & { readonly since: number; readonly until: number } => {
  const since = Date.UTC(2031, 0, 1) + days++ * 86_400_000
  return { since, until: since + 86_400_000 }
}

/** What every ledger promises, with the library whose pictures it is written beside. The layer is built once. */
export const ledgerContract = <E>(name: string, both: Layer.Layer<Ledger | ModelLibrary, E>) =>
  withLayer(both, { excludeTestServices: true, timeout: "30 seconds" })(`${name} keeps the ledger's promises`, (it) => {
    it.effect("what was written is read again, the oldest first", () =>
      Effect.gen(function* () {
        const { list, record } = yield* Ledger
        const day = aDay()
        const late = aRow({ at: day.since + 2000, taskId: `ё${"x".repeat(900)}`, caller: "studio" })
        const early = aRow({
          at: day.since + 1,
          requestId: null,
          units: null,
          price: null,
          cost: null,
          source: null,
          outcome: "uncertain"
        })
        const fraction = aRow({ at: day.since + 1999, units: 0.79, cost: usd("0.01975") })
        yield* record([late, early, fraction])
        yield* record([])
        assert.deepStrictEqual(yield* list(day, null, 10), [early, fraction, late])
      })
    )

    it.effect("a request has one row, whatever is written of it again", () =>
      Effect.gen(function* () {
        const { list, ofRequest, ofTask, record } = yield* Ledger
        const day = aDay()
        const row = aRow({ at: day.since })
        const again = { ...row, outcome: "wasted", cost: usd("1") } as const
        yield* record([row])
        yield* record([again, { ...row, attempt: "0.5" }, { ...row, attempt: "0.5" }])
        yield* Effect.all([record([again]), record([again])], { concurrency: 2 })
        assert.deepStrictEqual(yield* list(day, null, 10), [row, { ...row, attempt: "0.5" }])
        assert.deepStrictEqual(yield* ofTask(row.taskId), [row, { ...row, attempt: "0.5" }])
        assert.deepStrictEqual(yield* ofTask(`${row.taskId}\u0000`), [])
        assert.deepStrictEqual(yield* ofRequest(row.requestId!), [row, { ...row, attempt: "0.5" }])
        assert.deepStrictEqual(yield* ofRequest(`${row.requestId}\u0000`), [])
      })
    )

    it.effect("of some requests those are told that have a row", () =>
      Effect.gen(function* () {
        const { claimed, record } = yield* Ledger
        const day = aDay()
        const [one, other] = [aRow({ at: day.since }), aRow({ at: day.since })]
        yield* record([one, { ...one, attempt: "0.5" }, other, aRow({ at: day.since, requestId: null })])
        const unknown = Array.from({ length: 2000 }, () => randomUUID())
        assert.deepStrictEqual(
          yield* claimed([...unknown, one.requestId!, "' OR 1=1 --", `${other.requestId}\u0000`, other.requestId!]),
          new Set([one.requestId!, other.requestId!])
        )
        assert.deepStrictEqual(yield* claimed([]), new Set())
      })
    )

    it.effect("a long list is read in parts, also where many were made at once", () =>
      Effect.gen(function* () {
        const { list, record } = yield* Ledger
        const day = aDay()
        const made = Array.from({ length: 7 }, (_, n) => aRow({ at: day.since + (n < 4 ? 5 : 6), taskId: `${"aZ_-é0B"[n]}` }))
        yield* record(made)
        const found: Array<Booked> = []
        for (let part = yield* list(day, null, 2); part.length > 0; part = yield* list(day, found.at(-1)!, 2)) found.push(...part)
        assert.deepStrictEqual(found.map(({ taskId }) => taskId).toSorted(), made.map(({ taskId }) => taskId).toSorted())
        assert.deepStrictEqual(
          found.map(({ at }) => at),
          found.map(({ at }) => at).toSorted((one, other) => one - other)
        )
      })
    )

    it.effect("a period begins with its first instant and ends before its last", () =>
      Effect.gen(function* () {
        const { list, record, totals } = yield* Ledger
        const day = aDay()
        const rows = [day.since - 1, day.since, day.until - 1, day.until].map((at) => aRow({ at }))
        yield* record(rows)
        assert.deepStrictEqual(yield* list(day, null, 10), rows.slice(1, 3))
        assert.deepStrictEqual(
          (yield* totals("day", day)).map(({ key, requests }) => [key, requests]),
          [[new Date(day.since).toISOString().slice(0, 10), 2]]
        )
        days++ // its neighbours have rows now
      })
    )

    it.effect("rows are added up to the billionth, by what one asks for", () =>
      Effect.gen(function* () {
        const { record, totals } = yield* Ledger
        const day = aDay()
        const at = day.since + 3_600_000
        yield* record([
          aRow({ at, cost: usd("0.1"), caller: "b" }),
          aRow({ at, cost: usd("0.2"), caller: "b", source: "estimate", outcome: "uncertain", requestId: null }),
          aRow({ at, cost: usd("0.000000001"), caller: "B", model: "fal-ai/nano-banana-2" }),
          aRow({ at, cost: null, price: null, source: null, caller: "a", outcome: "flagged" })
        ])
        const none = NanoDollars.zero
        const keyed = (by: Parameters<typeof totals>[0]) => Effect.map(totals(by, day), (all) => all.map(({ key }) => key))
        assert.deepStrictEqual(yield* totals("caller", day), [
          { key: "B", requests: 1, cost: usd("0.000000001"), estimated: none, unpriced: 0 },
          { key: "a", requests: 1, cost: none, estimated: none, unpriced: 1 },
          { key: "b", requests: 2, cost: usd("0.3"), estimated: usd("0.2"), unpriced: 0 }
        ])
        assert.deepStrictEqual(yield* keyed("model"), ["fal-ai/flux/dev", "fal-ai/nano-banana-2"])
        assert.deepStrictEqual(yield* keyed("outcome"), ["flagged", "uncertain", "used"])
        assert.deepStrictEqual(yield* keyed("month"), [new Date(at).toISOString().slice(0, 7)])
        assert.deepStrictEqual(yield* totals("day", { since: day.until + 1e12, until: null }), [])
      })
    )

    it.effect("a bill stands beside the row of its request, in the place of its figure; the first of a request is kept", () =>
      Effect.gen(function* () {
        const { bill, list, ofTask, record, totals } = yield* Ledger
        const day = aDay()
        const estimated = aRow({ at: day.since, source: "estimate", cost: usd("0.03") })
        const unpriced = aRow({ at: day.since + 1, cost: null, price: null, source: null })
        const open = aRow({ at: day.since + 2, source: "estimate", cost: usd("0.04") })
        const nameless = aRow({ at: day.since + 3, requestId: null, outcome: "uncertain", source: "estimate", cost: usd("0.05") })
        yield* record([estimated, unpriced, open, nameless])
        const billed = (requestId: string | null, cost: string) => ({
          requestId: requestId ?? "",
          units: 1,
          cost: usd(cost),
          at: day.since + 5
        })
        const early = aRow({ at: day.since + 4, cost: usd("0.06") })
        yield* bill([])
        yield* bill([
          billed(estimated.requestId, "0.025"),
          billed(unpriced.requestId, "0.000000001"),
          billed(early.requestId, "0.07")
        ])
        yield* bill([billed(estimated.requestId, "9"), billed(randomUUID(), "9")])
        yield* record([early])
        const read = yield* list(day, null, 10)
        assert.deepStrictEqual(read, [
          { ...estimated, billed: usd("0.025") },
          { ...unpriced, billed: usd("0.000000001") },
          open,
          nameless,
          { ...early, billed: usd("0.07") }
        ])
        assert.deepStrictEqual(
          read.map((row) => [costOf(row), sourceOf(row)]),
          [
            [usd("0.025"), "billed"],
            [usd("0.000000001"), "billed"],
            [usd("0.04"), "estimate"],
            [usd("0.05"), "estimate"],
            [usd("0.07"), "billed"]
          ]
        )
        assert.deepStrictEqual(yield* ofTask(estimated.taskId), [{ ...estimated, billed: usd("0.025") }])
        const [total] = yield* totals("day", day)
        assert.deepInclude(total, { requests: 5, cost: usd("0.185000001"), estimated: usd("0.09"), unpriced: 0 })
      })
    )

    it.effect("a saved picture's row comes with it, once, also for a picture that was saved before", () =>
      Effect.gen(function* () {
        const { list } = yield* Ledger
        const { save } = yield* ModelLibrary
        const day = aDay()
        const model = aModel()
        const [lost, paid] = [
          aRow({ at: day.since, outcome: "uncertain", requestId: null }),
          aRow({ at: day.since + 1, requestId: model.falRequestId })
        ]
        const saved = yield* save(model)
        assert.deepStrictEqual(yield* list(day, null, 10), [])
        assert.deepStrictEqual(yield* save(model, [lost, paid]), saved)
        const other = aRow({ at: day.since + 2 })
        yield* save(aModel(), [other, paid])
        assert.deepStrictEqual(yield* list(day, null, 10), [lost, paid, other])
      })
    )
  })
