import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as NanoDollars from "../../src/services/NanoDollars.ts"

describe("money", () => {
  const written: ReadonlyArray<readonly [dollars: string, amount: number, formatted?: string]> = [
    ["0", 0, "0.00"],
    ["5", 5_000_000_000, "5.00"],
    ["0.025", 25_000_000],
    ["0.1", 100_000_000, "0.10"],
    ["12.50", 12_500_000_000],
    ["0.000000001", 1],
    ["9007199.254740991", Number.MAX_SAFE_INTEGER]
  ]
  for (const [dollars, amount, formatted = dollars] of written)
    it(`${dollars} dollars are ${amount} billionths, shown as ${formatted}`, () => {
      const parsed = NanoDollars.parse(dollars)
      assert.strictEqual<number | undefined>(parsed, amount)
      assert.strictEqual(NanoDollars.format(NanoDollars.usd(dollars)), formatted)
    })

  for (const text of ["", "-1", "1.", ".5", "1e3", "1,000", "$5", "5 ", "0.0000000001", "99999999", "0x10", "NaN"])
    it(`${JSON.stringify(text)} is no amount`, () => assert.isUndefined(NanoDollars.parse(text)))

  it.prop("is the same after it was written and read", [NanoDollars.NanoDollars], ([amount]) =>
    assert.strictEqual(NanoDollars.parse(NanoDollars.format(amount)), amount)
  )

  it("adds up exactly where fractions of dollars would not", () => {
    const tenth = NanoDollars.usd("0.1")
    assert.strictEqual(NanoDollars.sum([tenth, tenth, tenth]), NanoDollars.usd("0.3"))
    assert.strictEqual(NanoDollars.toUsd(NanoDollars.sum([tenth, tenth, tenth])), 0.3)
  })

  it("is multiplied to the nearest billionth", () => {
    assert.strictEqual(NanoDollars.times(NanoDollars.usd("0.025"), 0.79), NanoDollars.usd("0.01975"))
    assert.strictEqual(NanoDollars.times(NanoDollars.usd("0.000000001"), 1.5), NanoDollars.usd("0.000000002"))
    assert.strictEqual(NanoDollars.times(NanoDollars.usd("0.000000001"), 1.4), NanoDollars.usd("0.000000001"))
  })

  it.prop(
    "is never less than nothing and never more than the largest, whatever is counted",
    [NanoDollars.NanoDollars, Schema.Finite],
    ([amount, count]) => {
      const product = NanoDollars.times(amount, count)
      assert.isTrue(Number.isSafeInteger(product) && product >= 0)
      assert.isTrue(Number.isSafeInteger(NanoDollars.sum([amount, amount, product])))
    }
  )
})
