import { Schema } from "effect"

/** Money: whole billionths of a US dollar, so that sums are exact. The largest amount is nine million dollars. */
export const NanoDollars = Schema.Natural.pipe(Schema.brand("NanoDollars"))
export type NanoDollars = typeof NanoDollars.Type

const PER_DOLLAR = 1_000_000_000n
const MOST = BigInt(Number.MAX_SAFE_INTEGER)
/** An amount that is too large stays the largest. */
const of = (amount: bigint): NanoDollars => NanoDollars.make(Number(amount > MOST ? MOST : amount))

export const zero = of(0n)

/** Dollars as people write them, `5` or `0.025`. `undefined` for any other text. */
export const parse = (dollars: string): NanoDollars | undefined => {
  const [, whole, part = ""] = /^(\d{1,7})(?:\.(\d{1,9}))?$/.exec(dollars) ?? []
  return whole === undefined ? undefined : of(BigInt(whole) * PER_DOLLAR + BigInt(part.padEnd(9, "0")))
}

/** An amount that stands in the code. */
export const usd = (dollars: string): NanoDollars => {
  const amount = parse(dollars)
  if (amount === undefined) throw new Error(`not an amount of dollars: ${dollars}`)
  return amount
}

/** `0.025` or `12.50`: every digit that counts, and cents at least. */
export const format = (amount: NanoDollars): string => {
  const digits = String(amount).padStart(10, "0")
  return `${digits.slice(0, -9)}.${digits.slice(-9).replace(/0{1,7}$/, "")}`
}

/** The same with its sign, for a person. */
export const dollars = (amount: NanoDollars): string => `$${format(amount)}`

/** For JSON and metrics, whose readers count in dollars. Nothing is computed from it. */
export const toUsd = (amount: NanoDollars): number => amount / 1e9

export const sum = (amounts: Iterable<NanoDollars>): NanoDollars => {
  let total = 0n
  for (const amount of amounts) total += BigInt(amount)
  return of(total)
}

/** A count that a provider tells may have decimals: six of them are taken. */
const DECIMALS = 1_000_000
/** So many times the amount, to the nearest billionth. */
export const times = (amount: NanoDollars, count: number): NanoDollars => {
  const parts = BigInt(Math.round(Math.min(Math.max(count, 0), Number.MAX_SAFE_INTEGER / DECIMALS) * DECIMALS))
  return of((BigInt(amount) * parts + BigInt(DECIMALS / 2)) / BigInt(DECIMALS))
}

/** `part` of `whole`, both whole numbers: to the nearest billionth. */
export const share = (amount: NanoDollars, part: number, whole: number): NanoDollars =>
  of((BigInt(amount) * BigInt(part) + BigInt(whole) / 2n) / BigInt(whole))
