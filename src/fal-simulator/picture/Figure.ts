import { Schema } from "effect"
import { createHash } from "node:crypto"

const Colour = Schema.String.check(Schema.isPattern(/^#[0-9a-f]{6}$/))

/** A person as a prompt asked for one, down to the last choice: the same figure is drawn to the same bytes. */
export const Figure = Schema.Struct({
  gender: Schema.Literals(["male", "female"]),
  age: Schema.Finite,
  body: Schema.Literals(["slim", "average", "athletic", "plus-size"]),
  pose: Schema.Literals(["front standing", "side", "walking", "sitting"]),
  style: Schema.Literals(["professional", "casual", "editorial"]),
  skin: Colour,
  hair: Colour,
  /** Which of the haircuts, and of the variants of a garment. */
  cut: Schema.Int,
  top: Colour,
  bottom: Colour,
  accent: Colour,
  wall: Colour
})
export interface Figure extends Schema.Schema.Type<typeof Figure> {}

const skins = ["#f3d3bd", "#ecc0a0", "#dba67f", "#c48a60", "#9c6844", "#774a30", "#5a3825"]
const hairs = ["#1f1a1a", "#3a2a20", "#5b3d28", "#7c5433", "#a9743f", "#c99b5c", "#8c3f24"]
const palettes = {
  professional: {
    tops: ["#2b3648", "#3c4048", "#1f2a44", "#5b5f66", "#4a3f3a", "#6b2f3a"],
    bottoms: ["#2b3648", "#3c4048", "#1f2a44", "#34363b"],
    accents: ["#9c2f3b", "#2f5d9c", "#b08d3e", "#3e7a5c"]
  },
  casual: {
    tops: ["#e9e6df", "#d9694f", "#4f8f8b", "#e0b04c", "#7487b8", "#93a86b", "#c98ba0"],
    bottoms: ["#3f5f8a", "#2f4a70", "#5d7fa8", "#34495e"],
    accents: ["#f5f5f2", "#d8dde3", "#c24f3f"]
  },
  editorial: {
    tops: ["#b3122f", "#5a1a78", "#0d6b5e", "#d4a017", "#123a9c", "#e2571e", "#c2186b"],
    bottoms: ["#17151c", "#2a1830", "#10241f", "#2b2113"],
    accents: ["#f0c75e", "#f2f0ec", "#111014"]
  }
} as const
const walls = ["#eef0f2", "#ebebe9", "#e6e8ea", "#f1f0ee"]

/** Colours a prompt may ask for by name. */
const named: Readonly<Record<string, string>> = {
  red: "#c0272d",
  crimson: "#a01c34",
  burgundy: "#6d1b2c",
  pink: "#e58fb0",
  orange: "#e07b2c",
  yellow: "#e8c33f",
  gold: "#cfa23a",
  green: "#3f8a54",
  emerald: "#0f7a57",
  olive: "#7b7f3f",
  teal: "#1f7f83",
  turquoise: "#3fb7b0",
  blue: "#2f5fb3",
  navy: "#1f2a52",
  purple: "#6a3a94",
  violet: "#7a4fb3",
  lavender: "#b9a3d9",
  brown: "#6f4a30",
  beige: "#d8c4a3",
  camel: "#c19a6b",
  cream: "#f0e6d0",
  white: "#f4f4f1",
  silver: "#c2c6cc",
  grey: "#8b8f96",
  gray: "#8b8f96",
  black: "#1c1c20"
}

/** Numbers that follow from a text: the same again each time. */
const drawFrom = (text: string) => {
  const bytes = createHash("sha256").update(text).digest()
  let at = 0
  return <A>(choices: ReadonlyArray<A>): A => {
    const value = bytes.readUInt16BE((at++ * 2) % 30)
    return choices[value % choices.length]! // never empty, so there is one at every such index
  }
}

const found = <const A extends string>(prompt: string, words: ReadonlyArray<readonly [RegExp, A]>): A | undefined =>
  words.find(([pattern]) => pattern.test(prompt))?.[1]

const genderOf = (prompt: string) =>
  found(prompt, [
    [/\b(female|woman|girl|lady|she|her)\b/, "female"],
    [/\b(male|man|boy|he|his)\b/, "male"]
  ])
const bodyOf = (prompt: string) =>
  found(prompt, [
    [/plus[- ]size|curvy|heavy/, "plus-size"],
    [/athletic|muscular/, "athletic"],
    [/slim|slender|thin\b/, "slim"],
    [/average/, "average"]
  ])
const poseOf = (prompt: string) =>
  found(prompt, [
    [/sitting|seated|sits\b/, "sitting"],
    [/walking|walks\b|runway/, "walking"],
    [/pose: side|side view|profile/, "side"],
    [/standing/, "front standing"]
  ])
// "professional studio lighting" is in every prompt, so that word counts only as the style's.
const styleOf = (prompt: string) =>
  found(prompt, [
    [/editorial|gown|evening|dramatic|couture/, "editorial"],
    [/casual|t-shirt|jeans|street/, "casual"],
    [/professional photo|style: professional|business|suit\b|blazer/, "professional"]
  ])
const ageOf = (prompt: string) => {
  const [, from, to] = /(\d\d)\s*-\s*(\d\d) years/.exec(prompt) ?? []
  return from === undefined || to === undefined ? undefined : (Number(from) + Number(to)) / 2
}
const colourOf = (prompt: string) =>
  // The studio's white and gray are not the clothes'.
  named[
    Object.keys(named).find((name) => new RegExp(`\\b${name}\\b`).test(prompt.replaceAll(/white\/gray background/g, ""))) ?? ""
  ]

const dressed = (style: Figure["style"], choose: ReturnType<typeof drawFrom>) => {
  const { accents, bottoms, tops } = palettes[style]
  const top = choose<string>(tops)
  return { top, bottom: style === "professional" ? top : choose<string>(bottoms), accent: choose<string>(accents) }
}

/** The person a prompt describes; what it leaves open is chosen by prompt and seed. */
export const fromPrompt = (text: string, seed: number): Figure => {
  const prompt = text.toLowerCase()
  const choose = drawFrom(`${seed} ${text}`)
  const style = styleOf(prompt) ?? choose(["casual", "editorial"])
  const clothes = dressed(style, choose)
  const colour = colourOf(prompt)
  return {
    gender: genderOf(prompt) ?? choose(["male", "female"]),
    age: ageOf(prompt) ?? 28,
    body: bodyOf(prompt) ?? "average",
    pose: poseOf(prompt) ?? "front standing",
    style,
    skin: choose(skins),
    hair: choose(hairs),
    cut: choose([0, 1, 2, 3]),
    ...clothes,
    ...(colour === undefined ? {} : { top: colour, ...(style === "professional" ? { bottom: colour } : {}) }),
    wall: choose(walls)
  }
}

/** The same person after an edit: a colour, a style or a pose that the prompt names; other clothes when it names none. */
export const edited = (source: Figure, text: string, seed: number): Figure => {
  const prompt = text.toLowerCase()
  const choose = drawFrom(`${seed} ${text}`)
  const asked = styleOf(prompt)
  const style = asked ?? source.style
  const colour = colourOf(prompt)
  const clothes = asked !== undefined && asked !== source.style ? dressed(style, choose) : source
  return {
    ...source,
    style,
    pose: poseOf(prompt) ?? source.pose,
    age: ageOf(prompt) ?? source.age,
    body: bodyOf(prompt) ?? source.body,
    top: colour ?? (clothes === source && asked === undefined ? dressed(style, choose).top : clothes.top),
    bottom: colour !== undefined && style === "professional" ? colour : clothes.bottom,
    accent: clothes.accent
  }
}

/** A figure for a picture that was not drawn here: always the same one for the same bytes. */
export const stranger = (bytes: Uint8Array): Figure => fromPrompt("", createHash("sha256").update(bytes).digest().readUInt32BE(0))
