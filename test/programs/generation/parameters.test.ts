import { assert, it } from "@effect/vitest"
import { combinations, promptOf, templateIdOf } from "../../../src/programs/generation/tasks/Parameters.ts"

const five = { gender: "female", age_range: "25-35", body_type: "plus-size", pose: "front standing", style: "casual" } as const

it("five values make one template id, which rows of years carry", () => {
  assert.strictEqual(templateIdOf(five), "female_25-35_plus-size_front-standing_casual")
})

it("five values make one prompt, byte for byte what the Python workers sent", () => {
  assert.strictEqual(
    promptOf(five),
    "Fashion model, female, 25-35 years old, body type: plus-size, pose: front standing, style: casual photo, full body shot, " +
      "neutral white/gray background, professional studio lighting, high quality, 8k, detailed, clean composition"
  )
})

it("there are 288 presets, each with a template id of its own", () => {
  assert.strictEqual(new Set(combinations.map(templateIdOf)).size, 288)
})
