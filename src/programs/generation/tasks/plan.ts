import { combinations, type Five, templateIdOf } from "./Parameters.ts"

type Wish = { readonly [K in keyof Five]: ReadonlyArray<Five[K]> | null }
const keys = ["gender", "age_range", "body_type", "pose", "style"] as const

/**
 * `count` combinations, ordered so that every prefix spreads over the values: the next one is that whose values came least often
 * so far.
 */
const spread = (all: ReadonlyArray<Five>, count: number): ReadonlyArray<Five> => {
  const shown = new Map<string, number>()
  // The squares of how often its values were shown, summed: the value shown most often weighs most.
  const left = all.map((five) => ({ five, weight: 0 }))
  const out: Array<Five> = []
  while (left.length > 0 && out.length < count) {
    const least = left.reduce((best, { weight }, at) => (weight < left[best]!.weight ? at : best), 0)
    const [chosen] = left.splice(least, 1)
    const { five } = chosen! // `least` is a place in `left`
    for (const key of keys) {
      const value = five[key]
      const times = shown.get(`${key}=${value}`) ?? 0
      shown.set(`${key}=${value}`, times + 1)
      for (const other of left) if (other.five[key] === value) other.weight += 2 * times + 1
    }
    out.push(five)
  }
  return out
}

const presets = <K extends keyof Five>(key: K) => [...new Set(combinations.map((five) => five[key]))]

const product = (wish: Wish): ReadonlyArray<Five> => {
  const values = <K extends keyof Five>(key: K, presets: ReadonlyArray<Five[K]>) => wish[key] ?? presets
  return values("gender", presets("gender")).flatMap((gender) =>
    values("age_range", presets("age_range")).flatMap((age_range) =>
      values("body_type", presets("body_type")).flatMap((body_type) =>
        values("pose", presets("pose")).flatMap((pose) =>
          values("style", presets("style")).map((style) => ({ gender, age_range, body_type, pose, style }))
        )
      )
    )
  )
}

export const plan = {
  /** The combinations a wish allows: its own values where it has some, else all presets. */
  candidates: product,
  /**
   * `count` of them, those the library lacks first; with `missingOnly` none but those, else round again until there are enough.
   */
  choose: (
    candidates: ReadonlyArray<Five>,
    present: ReadonlySet<string>,
    count: number,
    missingOnly: boolean
  ): ReadonlyArray<Five> => {
    const some = (inLibrary: boolean, most: number) =>
      spread(
        candidates.filter((five) => present.has(templateIdOf(five)) === inLibrary),
        most
      )
    const missing = some(false, count)
    if (missingOnly) return missing
    const all = [...missing, ...some(true, count - missing.length)]
    return Array.from({ length: count }, (_, at) => all[at % all.length]!)
  }
}
