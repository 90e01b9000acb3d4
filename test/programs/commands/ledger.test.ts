import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as ModelLibraryMemory from "../../../src/layers/memory/ModelLibraryMemory.ts"
import { describe as told, forecast } from "../../../src/programs/commands/forecast.ts"
import { Ledger } from "../../../src/services/Ledger.ts"
import * as NanoDollars from "../../../src/services/NanoDollars.ts"
import { aRow } from "../../contracts/ledger.ts"

const { usd } = NanoDollars
const HOUR = 3_600_000
const library = Layer.fresh(ModelLibraryMemory.layer)

/** What is foreseen at this time of a ledger with these costs. */
const foreseen = (now: string, paid: ReadonlyArray<readonly [at: string, dollars: string]>) =>
  Effect.gen(function* () {
    const { record } = yield* Ledger
    yield* record(paid.map(([at, dollars]) => aRow({ at: Date.parse(at), cost: usd(dollars) })))
    yield* TestClock.setTime(Date.parse(now))
    return yield* forecast
  }).pipe(Effect.provide(library))

describe("what a month will come to", () => {
  it.effect("is what it has cost so far, and the mean of the last seven days for each day left", () =>
    Effect.gen(function* () {
      const days = Array.from(
        { length: 10 },
        (_, day) => [`2026-11-${String(day + 11).padStart(2, "0")}T12:00:00Z`, "1"] as const
      )
      const found = yield* foreseen("2026-11-21T00:00:00Z", [["2026-10-01T00:00:00Z", "100"], ...days])
      assert.deepStrictEqual(found, {
        month: "2026-11",
        soFar: usd("10"),
        daily: { amount: usd("1"), days: 7 },
        total: usd("20")
      })
      assert.include(told(found), "$10.00 so far")
      assert.include(told(found), "about $20.00 (an estimate)")
    })
  )
  it.effect("goes by the days that a young ledger has, and takes no first hour for a day", () =>
    Effect.gen(function* () {
      const two = yield* foreseen("2026-11-29T00:00:00Z", [
        ["2026-11-27T00:00:00Z", "1"],
        ["2026-11-28T00:00:00Z", "3"]
      ])
      assert.deepStrictEqual([two.daily, two.total], [{ amount: usd("2"), days: 2 }, usd("8")])
      const hour = yield* foreseen("2026-11-30T00:00:00Z", [
        [new Date(Date.parse("2026-11-30T00:00:00Z") - HOUR).toISOString(), "1"]
      ])
      assert.deepStrictEqual([hour.daily, hour.total], [{ amount: usd("1"), days: 1 }, usd("2")])
    })
  )
  it.effect("is not known of an empty ledger", () =>
    Effect.gen(function* () {
      const found = yield* foreseen("2026-11-21T00:00:00Z", [])
      assert.isUndefined(found.total)
      assert.strictEqual(told(found), "2026-11: nothing so far")
    })
  )
})
