import type { Model } from "../../services/ModelLibrary.ts"

type Hashed = Pick<Model, "metadata">

/** Perceptual hashes of pictures that look alike differ in no more of their 64 bits. */
const ALIKE = 6

const hashOf = ({ metadata }: Hashed): bigint | undefined => {
  const phash = metadata?.["phash"]
  return typeof phash === "string" && /^[\da-f]{16}$/.test(phash) ? BigInt(`0x${phash}`) : undefined
}
const distance = (one: bigint, other: bigint) => {
  let bits = 0
  for (let left = one ^ other; left > 0n; left &= left - 1n) bits++
  return bits
}

/**
 * Pictures that look alike together, in the order of their first ones. Each picture is compared with the first of a stack, so that
 * a stack does not drift from picture to picture; pictures without a hash stand alone.
 */
export const stacks = <R extends Hashed>(rows: ReadonlyArray<R>): ReadonlyArray<readonly [R, ...Array<R>]> => {
  const made: Array<{ readonly hash: bigint | undefined; readonly rows: [R, ...Array<R>] }> = []
  for (const row of rows) {
    const hash = hashOf(row)
    const stack = hash === undefined ? undefined : made.find((one) => one.hash !== undefined && distance(one.hash, hash) <= ALIKE)
    if (stack === undefined) made.push({ hash, rows: [row] })
    else stack.rows.push(row)
  }
  return made.map(({ rows }) => rows)
}
