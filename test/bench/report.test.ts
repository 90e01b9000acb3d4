import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { last } from "../../scripts/bench/last.ts"
import { comparison, markdown, type Report, remarks, section, table, withSection } from "../../scripts/bench/report.ts"
import { changed, median, noise, quantile, spread } from "../../scripts/bench/statistics.ts"

const quiet = { load: 0.1, othersBusy: 0.01, calibration: [100, 101] as const }
const report: Report = {
  date: "2026-01-02T03:04:05.678Z",
  commit: "abc1234",
  machine: "2 cores",
  versions: { Redis: "7.0.15" },
  contenders: [
    { id: "ours", name: "ours" },
    { id: "celery", name: "Celery" },
    { id: "floor", name: "floor" }
  ],
  figures: [
    { id: "rate", label: "tasks/s", better: "higher" },
    { id: "memory", label: "MB", better: "lower" },
    { id: "alone", label: "only ours", better: "lower" }
  ],
  rounds: [
    { ...quiet, values: { rate: { ours: 300, celery: 100, floor: 700 }, memory: { ours: 90, celery: 100 }, alone: { ours: 7 } } },
    { ...quiet, values: { rate: { ours: 220, celery: 110, floor: 770 }, memory: { ours: 40, celery: 50 }, alone: { ours: 8 } } },
    { ...quiet, values: { rate: { ours: 420, celery: 105, floor: 840 }, memory: { ours: 70, celery: 100 }, alone: { ours: 9 } } }
  ],
  leftOut: []
}

describe("the bench's figures", () => {
  it("the median is the middle one, or between the two in the middle", () => {
    assert.strictEqual(median([9, 1, 5]), 5)
    assert.strictEqual(median([9, 1, 5, 7]), 6)
  })

  it("a quantile is a value that was measured", () => {
    const values = Array.from({ length: 100 }, (_, n) => 100 - n)
    assert.deepStrictEqual(
      [quantile(values, 0), quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)],
      [1, 51, 100, 100]
    )
  })

  it("the spread is what lies between the extremes, as a share of the median", () =>
    assert.strictEqual(spread([90, 100, 120]), 0.3))

  for (const [what, now, before, better, verdict] of [
    ["more of what should be high", [110, 112, 109], [100, 101, 99], "higher", "better"],
    ["more of what should be low", [110, 112, 109], [100, 101, 99], "lower", "worse"],
    ["less of what should be low", [80, 81, 79], [100, 101, 99], "lower", "better"],
    ["a round in the other direction", [99.5, 115, 115], [100, 100, 100], "higher", "no difference seen"],
    ["the old side's rounds further apart than both sides", [110, 132, 99], [100, 120, 90], "higher", "no difference seen"],
    ["the new side's rounds further apart than both sides", [101, 110, 140], [100, 100, 100], "higher", "no difference seen"],
    ["less than 2 %", [101, 101, 101], [100, 100, 100], "higher", "no difference seen"],
    ["two rounds", [200, 200], [100, 100], "higher", "no difference seen"]
  ] as const) {
    it(`${what}: ${verdict}`, () => {
      const pairs = now.map((value, round) => ({ now: value, before: before[round]! }))
      assert.strictEqual(changed(pairs, better), verdict)
    })
  }

  it("a quiet machine has no noise; other processes, a loop that is not always as fast, and too few rounds are named", () => {
    assert.deepStrictEqual(noise([quiet, quiet, quiet]), [])
    assert.deepStrictEqual(noise([quiet, { ...quiet, othersBusy: 0.4 }, quiet]), [
      "other processes took up to 40 % of the processors"
    ])
    assert.deepStrictEqual(noise([quiet, { ...quiet, calibration: [100, 150] }, quiet]), [
      "the same loop took times that lie 50 % apart"
    ])
    assert.deepStrictEqual(noise([quiet]), ["1 of at least 3 rounds"])
  })
})

describe("the bench's table", () => {
  const [head, rate, memory, alone] = table(report)

  it("has the median of the ratios within each round, not the ratio of the medians", () => {
    assert.deepStrictEqual(head, ["", "ours", "Celery", "ratio", "over the rounds", "ratio: floor"])
    assert.deepStrictEqual(rate, ["tasks/s", "300", "105", "3.00x", "2.00x to 4.00x", "7.00x"])
  })

  it("marks a row in which Celery itself was not steady", () =>
    assert.deepStrictEqual(memory, ["MB", "70.0", "100", "0.80x ?", "0.70x to 0.90x", ""]))

  it("says what the mark means where there is one", () => {
    assert.include(remarks(report, table(report)).join("\n"), "? after a ratio")
    const [steady] = report.figures
    const without = { ...report, figures: [steady!] }
    assert.notInclude(remarks(without, table(without)).join("\n"), "? after a ratio")
  })

  it("leaves empty what was not measured", () => assert.deepStrictEqual(alone, ["only ours", "8.00", "", "", "", ""]))

  it("says of two commits whether the rounds show a difference", () => {
    const rows = comparison({ ...report, contenders: report.contenders.slice(0, 2) })
    assert.deepStrictEqual(
      rows.slice(1).map((row) => row.at(-1)),
      ["better", "no difference seen", "not measured"]
    )
  })

  it("says when nobody should judge by it, and what was left out", () => {
    assert.include(remarks(report, table(report)).join("\n"), "quiet")
    const noisy = { ...report, rounds: report.rounds.map((round) => ({ ...round, othersBusy: 0.5 })), leftOut: ["BullMQ (why)"] }
    assert.include(remarks(noisy, table(noisy)).join("\n"), "too noisy to judge by")
    assert.include(remarks(noisy, table(noisy)).join("\n"), "Left out: BullMQ (why).")
  })

  it("is written as the formatter writes it", () =>
    assert.strictEqual(
      markdown([
        ["", "a"],
        ["longer", "1"]
      ]),
      "|        | a   |\n| ------ | --- |\n| longer | 1   |"
    ))
})

describe("README's table", () => {
  const readme = "before\n<!-- bench: written by npm run bench -->\nold\n<!-- bench: end -->\nafter\n"

  it("replaces what is between its markers and nothing else, and again the same way", () => {
    const once = withSection(readme, section(report))
    assert.match(once, /^before\n<!-- bench: written by npm run bench -->\n\n\| [^]*\n\n<!-- bench: end -->\nafter\n$/)
    assert.notInclude(once, "old")
    assert.strictEqual(withSection(once, section(report)), once)
  })

  it("is what the last run found", () => {
    const found = last()
    assert.isDefined(found)
    const readme = readFileSync(join(import.meta.dirname, "..", "..", "README.md"), "utf8")
    assert.strictEqual(readme, withSection(readme, section(found)), "type: npm run bench -- --readme")
  })

  it("is not written where the markers are gone", () =>
    assert.throws(() => withSection("before\nafter\n", "text"), /has no place/))
})
