import { assert, it } from "@effect/vitest"
import { falAnswer } from "./falAnswers.ts"

it("3000 bent and broken answers of fal's are read without a defect, and none of a kind that pays twice", () => {
  for (let seed = 1; seed <= 3000; seed++) assert.deepStrictEqual(falAnswer(seed), [], `seed ${seed}`)
})
