import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import { mutants } from "./mutants.ts"
import { fits, tryMutant } from "./mutation.ts"
import { simulate } from "./simulate.ts"
import { runThreads } from "./threads.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const SEEDS = Number(process.env["SEEDS"] ?? 100)

describe("whole workers in a world that goes wrong", () => {
  it("lose nothing, save nothing twice and pay for nothing twice, whatever the seed", { timeout: 300_000 }, async () => {
    const report = await runThreads(root, { from: 1, count: SEEDS }, 2)
    // A few of them are enough to find the cause by.
    const failures = report.failures.slice(0, 3).map(({ seed, violations }) => `seed ${seed}: ${violations[0]}`)
    assert.deepStrictEqual(
      failures,
      [],
      `${report.failures.length} seeds failed; see the steps of one with: npm run simulate -- --seed N`
    )
    assert.deepInclude(report, { seeds: SEEDS, lost: 0, savedTwice: 0, paidTwice: 0 })
    // So that there was something to survive.
    assert.isAbove(report.events.get("kills") ?? 0, SEEDS)
    assert.isAbove(report.tasks, SEEDS * 4)
    for (const event of ["shared deaths", "stalls", "clock jumps"]) assert.isAbove(report.events.get(event) ?? 0, 0, event)
  })

  it("do the same steps for the same seed", () => {
    for (const seed of [1, 2, 3, 40, 500]) {
      const { trace } = simulate(seed, true)
      assert.isAbove(trace.length, 50)
      assert.deepStrictEqual(simulate(seed, true).trace, trace)
    }
  })

  const { SEED } = process.env
  if (SEED !== undefined)
    it(`keep every promise with seed ${SEED}`, () => {
      const { trace, violations } = simulate(Number(SEED), true)
      process.stdout.write(`${trace.join("\n")}\n`)
      assert.deepStrictEqual(violations, [])
    })
})

describe("the simulation catches", () => {
  it("bugs that have a place in the code as it is", () => {
    assert.deepStrictEqual(
      mutants.filter((mutant) => !fits(root, mutant)),
      []
    )
  })

  const quick = new Set(["submit before the intent is written", "submit again instead of re-attaching", "hold loses the message"])
  for (const mutant of mutants.filter(({ name }) => quick.has(name)))
    it(`"${mutant.name}"`, { timeout: 120_000 }, async () => {
      const { by, seeds } = await tryMutant(root, mutant, 200)
      assert.isDefined(by, `not caught in ${seeds} seeds`)
    })
})
