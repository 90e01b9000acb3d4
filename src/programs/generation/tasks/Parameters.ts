import { Schema } from "effect"

/** Text that PostgreSQL and JSON can both hold: no NUL, no half of a surrogate pair. */
const isStorable = (value: unknown): boolean =>
  typeof value === "string"
    ? !value.includes("\u0000") && value.isWellFormed()
    : Array.isArray(value)
      ? value.every(isStorable)
      : typeof value !== "object" || value === null || Object.entries(value).flat().every(isStorable)
const UNSTORABLE = "expected text without NUL or broken characters"
const storable = Schema.makeFilter((text: string) => isStorable(text) || UNSTORABLE, {
  toJsonSchema: () => ({ pattern: String.raw`^[^\u0000\ud800-\udfff]*$` })
})
/** PostgreSQL counts characters, JavaScript counts most emoji as two: what fits here fits there. */
const atMost = (longest: number) => Schema.isMaxLength(longest, { message: `expected at most ${longest} characters` })
const text = (longest: number) => Schema.NonEmptyString.check(atMost(longest), storable)
const column = (longest: number) => Schema.String.check(atMost(longest), storable)

export const genders = ["male", "female"] as const
export const ageRanges = ["20-30", "30-40", "40-50"] as const
export const bodyTypes = ["slim", "average", "athletic", "plus-size"] as const
export const poses = ["front standing", "side", "walking", "sitting"] as const
export const styles = ["professional", "casual", "editorial"] as const

export const Gender = Schema.Literals(genders)
/** `NN-NN` with 18 ≤ from < to ≤ 99: the tens grow, or they stay and the ones grow. */
const RANGES = new RegExp(
  `^(?:18-19|1[89]-[2-9][0-9]|${[2, 3, 4, 5, 6, 7, 8].map((tens) => `${tens}[0-9]-[${tens + 1}-9][0-9]`).join("|")}|` +
    `([2-9])(?:${[0, 1, 2, 3, 4, 5, 6, 7, 8].map((ones) => `${ones}-\\1[${ones + 1}-9]`).join("|")}))$`
)
/** Never a minor. */
export const AgeRange = Schema.String.check(
  Schema.makeFilter((range) => RANGES.test(range) || "expected NN-NN with 18 <= from < to <= 99", {
    toJsonSchema: () => ({ pattern: RANGES.source, description: "NN-NN with 18 <= from < to <= 99" })
  })
)
export const BodyType = Schema.Literals(bodyTypes)
export const Pose = Schema.Literals(poses)
export const Style = Schema.Literals(styles)

export const TemplateId = text(100)
export const Prompt = text(2000)
/** Half of what the column holds, so that a version asked for leaves room for those that come after it. */
export const Version = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000_000 }))
export const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
/** How many pictures a batch may ask for. */
export const MOST_AT_ONCE = 1000
/** A batch's children get this seed and those that follow it. */
export const FirstSeed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER - MOST_AT_ONCE }))

/** PostgreSQL reads nested JSON by recursion, and refuses it where its stack ends. */
const DEEPEST = 100
const isDeeper = (value: unknown, than: number): boolean =>
  typeof value === "object" && value !== null && (than === 0 || Object.values(value).some((inner) => isDeeper(inner, than - 1)))
const LONGEST_METADATA = 16_384
export const Metadata = Schema.JsonObject.check(
  Schema.makeFilter(
    (value) => {
      if (isDeeper(value, DEEPEST)) return `expected at most ${DEEPEST} levels of JSON`
      if (JSON.stringify(value).length > LONGEST_METADATA) return `expected at most ${LONGEST_METADATA} characters of JSON`
      return isStorable(value) || UNSTORABLE
    },
    { toJsonSchema: () => [{ "x-levels": DEEPEST, "x-characters": LONGEST_METADATA }, true] }
  )
)

/** Bounds of a picture's address: one that holds the picture itself travels through Redis with its message. */
const LONGEST_URL = 8192
const LONGEST_DATA_URL = 8 * 2 ** 20
const pictureUrl = (scheme: RegExp) =>
  Schema.makeFilter(
    (url: string) => {
      const isData = /^data:image\//i.test(url)
      if (!isData && !scheme.test(url)) return "expected the URL of a picture"
      const longest = isData ? LONGEST_DATA_URL : LONGEST_URL
      if (url.length > longest) return `expected at most ${longest} characters`
      if (!isStorable(url)) return UNSTORABLE
      return isData || URL.canParse(url) || "expected the URL of a picture"
    },
    { toJsonSchema: () => [{ "x-picture": { longest: LONGEST_URL, longestData: LONGEST_DATA_URL } }, true] }
  )
/** The address of a picture to edit, by http or with the picture in it. */
export const PictureUrl = Schema.String.check(pictureUrl(/^https?:\/\//i))
/** The same, or a file of a media store that is a folder. */
export const StoredPictureUrl = Schema.String.check(pictureUrl(/^(https?|file):\/\//i))

/** The five values of a picture that is not one of our models: any text that the columns can hold. */
export const described = {
  id: column(100),
  gender: column(20),
  age_range: column(20),
  body_type: column(20),
  pose: column(50),
  style: column(50)
}

/** The five values that make a model. */
export const five = { gender: Gender, age_range: AgeRange, body_type: BodyType, pose: Pose, style: Style }
export const Five = Schema.Struct(five)
export interface Five extends Schema.Schema.Type<typeof Five> {}

export const templateIdOf = (five: Five): string =>
  [five.gender, five.age_range, five.body_type, five.pose.replaceAll(" ", "-"), five.style].join("_")

/** The prompt fal gets, byte for byte what production's Python workers sent. */
export const promptOf = (five: Five): string =>
  `Fashion model, ${five.gender}, ${five.age_range} years old, body type: ${five.body_type}, pose: ${five.pose}, ` +
  `style: ${five.style} photo, full body shot, neutral white/gray background, professional studio lighting, ` +
  `high quality, 8k, detailed, clean composition`

/** Every preset combination: 288 of them. */
export const combinations: ReadonlyArray<Five> = genders.flatMap((gender) =>
  ageRanges.flatMap((age_range) =>
    bodyTypes.flatMap((body_type) =>
      poses.flatMap((pose) => styles.map((style) => ({ gender, age_range, body_type, pose, style })))
    )
  )
)
