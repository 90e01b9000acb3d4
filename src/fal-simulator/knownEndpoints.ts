import { Schema } from "effect"
import type { Problem } from "./jobErrors.ts"

interface Endpoint {
  /** Simulated, in the likeness of fal's list: no bill is settled by it. */
  readonly price: number
  readonly unit: "megapixels" | "images"
  readonly editing: boolean
  readonly steps?: readonly [number, number]
}
export const endpoints: Readonly<Record<string, Endpoint>> = {
  "fal-ai/flux/dev": { price: 0.025, unit: "megapixels", editing: false, steps: [1, 50] },
  "fal-ai/flux/schnell": { price: 0.003, unit: "megapixels", editing: false, steps: [1, 12] },
  "fal-ai/flux/dev/image-to-image": { price: 0.03, unit: "megapixels", editing: true, steps: [10, 50] },
  "fal-ai/flux-kontext/dev": { price: 0.025, unit: "megapixels", editing: true },
  "fal-ai/flux-pro/kontext": { price: 0.04, unit: "images", editing: true },
  "fal-ai/flux-2/klein/9b": { price: 0.006, unit: "megapixels", editing: false },
  "workflows/acme/lookbook": { price: 0.05, unit: "images", editing: false },
  "comfy/acme/lookbook/v2": { price: 0.05, unit: "images", editing: false }
}

/**
 * The part of an endpoint's name that status, result and cancel go by: the owner's app, behind its namespace where it has one.
 */
export const appOf = (endpoint: string) =>
  endpoint
    .split("/")
    .slice(0, /^(workflows|comfy)\//.test(endpoint) ? 3 : 2)
    .join("/")

const presets: Readonly<Record<string, readonly [number, number]>> = {
  square_hd: [1024, 1024],
  square: [512, 512],
  portrait_4_3: [768, 1024],
  portrait_16_9: [576, 1024],
  landscape_4_3: [1024, 768],
  landscape_16_9: [1024, 576]
}

const isObject = Schema.is(Schema.JsonObject)

/** The size asked for, `undefined` when it is none of fal's. */
export const sizeOf = (input: Schema.JsonObject): readonly [number, number] | undefined => {
  const size = input["image_size"] ?? "landscape_4_3"
  if (typeof size === "string") return Object.hasOwn(presets, size) ? presets[size] : undefined
  if (!isObject(size)) return undefined
  const side = (value: Schema.Json | undefined) =>
    value === undefined ? 512 : Number.isInteger(value) ? Number(value) : Number.NaN
  const [width, height] = [side(size["width"]), side(size["height"])]
  return width > 0 && height > 0 && width <= 14_142 && height <= 14_142 ? [width, height] : undefined
}

/** Megapixels are rounded up to a whole one for each picture: 1080 by 1920 is three. */
export const unitsOf = (endpoint: string, width: number, height: number, count: number) =>
  endpoints[endpoint]?.unit === "images" ? count : Math.ceil((width * height) / 1_000_000) * count

export const countOf = (input: Schema.JsonObject) => Number(input["num_images"] ?? 1)

/** What is wrong with an input. fal checks it when the job runs, not when it is submitted. */
export const problemsOf = (endpoint: string, input: Schema.JsonObject): ReadonlyArray<Problem> => {
  const about = endpoints[endpoint]
  const problems: Array<Problem> = []
  const add = (field: string, type: string, msg: string) =>
    problems.push({ loc: ["body", field], msg, type, input: input[field] ?? input })
  const within = (field: string, minimum: number, maximum: number, whole = false) => {
    const value = input[field]
    if (value === undefined || value === null) return
    if (typeof value !== "number" || (whole && !Number.isInteger(value))) {
      add(field, whole ? "int_parsing" : "float_parsing", `Input should be a valid ${whole ? "integer" : "number"}`)
    } else if (value < minimum) add(field, "greater_than_equal", `Input should be greater than or equal to ${minimum}`)
    else if (value > maximum) add(field, "less_than_equal", `Input should be less than or equal to ${maximum}`)
  }
  for (const field of about?.editing === true ? ["prompt", "image_url"] : ["prompt"]) {
    if (input[field] === undefined) add(field, "missing", "Field required")
    else if (typeof input[field] !== "string") add(field, "string_type", "Input should be a valid string")
  }
  within("seed", 0, Number.MAX_SAFE_INTEGER, true)
  within("num_images", 1, 4, true)
  within("guidance_scale", 1, 20)
  within("strength", 0.01, 1)
  if (about?.steps !== undefined) within("num_inference_steps", about.steps[0], about.steps[1], true)
  if (about?.editing === false && sizeOf(input) === undefined) add("image_size", "one_of", "Input should be a known size")
  const format = input["output_format"]
  if (format !== undefined && format !== "jpeg" && format !== "png")
    add("output_format", "one_of", "Input should be 'jpeg' or 'png'")
  return problems
}
