/** Side of the grey picture that is hashed, and of the low frequencies that are kept of it. */
export const SIDE = 32
const KEPT = 8

/** The discrete cosine transform of a row, for its first frequencies alone. */
const cosines = Array.from({ length: KEPT }, (_, frequency) =>
  Float64Array.from({ length: SIDE }, (_, at) => Math.cos((Math.PI / SIDE) * (at + 0.5) * frequency))
)
const transform = (row: ArrayLike<number>) => cosines.map((wave) => wave.reduce((sum, factor, at) => sum + factor * row[at]!, 0))

/**
 * 64 bits of `SIDE` × `SIDE` grey pixels: whether each of the 8 × 8 lowest frequencies, but for the mean, is above the median. In
 * hex. Pictures scaled or compressed otherwise differ in a few bits, other pictures in about 32.
 */
export const phash = (grey: Uint8Array): string => {
  const rows = Array.from({ length: SIDE }, (_, y) => transform(grey.subarray(y * SIDE, (y + 1) * SIDE)))
  const columns = Array.from({ length: KEPT }, (_, x) => transform(rows.map((row) => row[x]!)))
  const values = columns.flat()
  values[0] = 0 // the mean says how bright it is, and nothing more
  const sorted = [...values].sort((a, b) => a - b)
  const median = (sorted[KEPT * 4 - 1]! + sorted[KEPT * 4]!) / 2
  const bits = values.map((value) => (value > median ? "1" : "0")).join("")
  return BigInt(`0b${bits}`).toString(16).padStart(16, "0")
}
