import { combinations, type Five, templateIdOf } from "./Parameters.ts"

type Wish = { readonly [K in keyof Five]: ReadonlyArray<Five[K]> | null }
const keys = ["gender", "age_range", "body_type", "pose", "style"] as const

/** Orders so that every prefix spreads over the values: next comes what has been shown least so far. */
const spread = (all: ReadonlyArray<Five>): ReadonlyArray<Five> => {
  const shown = new Map<string, number>()
  const timesShown = (five: Five) => keys.map((key) => shown.get(`${key}=${five[key]}`) ?? 0)
  const left = [...all]
  const out: Array<Five> = []
  while (left.length > 0) {
    let best = 0
    let least = Number.POSITIVE_INFINITY
    left.forEach((five, at) => {
      // The square makes the value shown most often weigh most.
      const weight = timesShown(five).reduce((sum, times) => sum + times * times, 0)
      if (weight < least) {
        least = weight
        best = at
      }
    })
    const [chosen] = left.splice(best, 1)
    for (const key of keys) shown.set(`${key}=${chosen![key]}`, (shown.get(`${key}=${chosen![key]}`) ?? 0) + 1)
    out.push(chosen!)
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
  /** `count` of them, those the library lacks first; with `missingOnly` none but those, else round again until there are enough. */
  choose: (
    candidates: ReadonlyArray<Five>,
    present: ReadonlySet<string>,
    count: number,
    missingOnly: boolean
  ): ReadonlyArray<Five> => {
    const missing = spread(candidates.filter((five) => !present.has(templateIdOf(five))))
    if (missingOnly) return missing.slice(0, count)
    const all = [...missing, ...spread(candidates.filter((five) => present.has(templateIdOf(five))))]
    return Array.from({ length: count }, (_, at) => all[at % all.length]!)
  }
}
