/** Arguments of the tasks, good and bad, always the same ones. */
import * as Batch from "../../src/programs/generation/tasks/batchGenerate.ts"
import * as Edit from "../../src/programs/generation/tasks/editModel.ts"
import * as Generate from "../../src/programs/generation/tasks/generateModel.ts"
import * as Parameters from "../../src/programs/generation/tasks/Parameters.ts"

export interface Payload {
  readonly task: string
  readonly kwargs: Readonly<Record<string, unknown>>
}

const goods: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  gender: Parameters.genders,
  age_range: [...Parameters.ageRanges, "18-19", "25-35", "98-99"],
  body_type: Parameters.bodyTypes,
  pose: Parameters.poses,
  style: Parameters.styles,
  template_id: ["t", "ы".repeat(100), "🙂".repeat(50), null],
  version: [1, 2, 1_000_000_000, 3.5e1, null],
  seed: [0, 7, 9_007_199_254_739_991, null],
  save: [true, false],
  missing_only: [true, false],
  metadata: [{}, { a: [1, null, { b: "é" }], "🙂": 1.5 }, null],
  prompt: ["red", "x".repeat(2000), "\n"],
  model: ["m", { id: "m" }, { template_id: "t", image_url: "https://h/p.jpg", gender: null }, null],
  model_id: ["m", "x".repeat(100), null],
  strength: [0.01, 1, 0.5, null],
  count: [1, 1000, null]
}
const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })
const bads: ReadonlyArray<unknown> = [
  null,
  "",
  "x",
  "x".repeat(101),
  "🙂".repeat(51),
  "x".repeat(2001),
  "a\0b",
  "\ud800",
  "17-30",
  "30-30",
  "25-35\n",
  "45-20",
  0,
  -1,
  1.5,
  1001,
  1_000_000_001,
  9_007_199_254_740_991,
  2 ** 60,
  true,
  [],
  ["male"],
  ["male", "other"],
  ["casual", 7],
  {},
  { a: 1 },
  { id: "" },
  { id: 7 },
  { id: "m", image_url: "nowhere" },
  { template_id: "t", image_url: "ftp://h/p.jpg" },
  { template_id: "t", image_url: "https://h/p.jpg", gender: "x".repeat(21) },
  { template_id: "", image_url: "https://h/p.jpg" },
  { a: "x".repeat(16_384) },
  { a: "a\0b" },
  { a: ["\ud800"] },
  deep(100),
  deep(101)
]

/** `count` payloads: most differ from a good one in one or two places. */
export const payloads = (count: number): ReadonlyArray<Payload> => {
  let state = 15
  const below = (most: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * most)
  }
  const one = <A>(some: ReadonlyArray<A>): A => some[below(some.length)]!
  const needed: Readonly<Record<string, ReadonlyArray<string>>> = {
    generate_model: ["gender", "age_range", "body_type", "pose", "style"],
    edit_model: ["prompt"],
    batch_generate: [],
    health_check: []
  }
  const names: Readonly<Record<string, ReadonlyArray<string>>> = {
    generate_model: Generate.names,
    edit_model: Edit.names,
    batch_generate: Batch.names,
    health_check: []
  }
  const some = (task: string): Record<string, unknown> => {
    const kwargs: Record<string, unknown> = {}
    for (const name of names[task]!) {
      if (!needed[task]!.includes(name) && below(3) > 0) continue
      if (name === "templates") kwargs[name] = Array.from({ length: 1 + below(3) }, () => some("generate_model"))
      else if (task === "batch_generate" && needed["generate_model"]!.includes(name) && below(2) === 0)
        kwargs[name] = [one(goods[name]!), one(goods[name]!)]
      else kwargs[name] = one(goods[name]!)
    }
    if (task === "edit_model" && below(3) > 0) kwargs[one(Edit.SOURCES)] = "m"
    const spoils = below(4) === 0 ? 0 : below(3)
    for (let times = 0; times < spoils; times++) {
      const name = one([...names[task]!, "colour"])
      if (below(6) === 0) delete kwargs[name]
      else kwargs[name] = one(bads)
    }
    return kwargs
  }
  return Array.from({ length: count }, () => {
    const task = one([
      "generate_model",
      "generate_model",
      "edit_model",
      "edit_model",
      "batch_generate",
      "batch_generate",
      "health_check"
    ])
    return { task, kwargs: some(task) }
  })
}
