/** docs/fal.md and the tests of this folder name each other's rows. */
import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { streamFaults } from "../../src/fal-simulator/Fault.ts"

const here = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")
const files = ["contract", "errors"]

/** The rows that a file's tests have in their titles. */
const tested = (file: string): ReadonlySet<string> => {
  const titles = [...here(`./${file}.test.ts`).matchAll(/["'`](?:[SWERCPM]\d+ and )*[SWERCPM]\d+[ "'`]/g)]
  return new Set(titles.flatMap(([title]) => title.match(/[SWERCPM]\d+/g) ?? []))
}
const table = here("../../docs/fal.md")
  .split("\n")
  .flatMap((line) => {
    const cells = line.split("|").map((cell) => cell.trim())
    const row = cells[1] ?? ""
    return /^[SWERCPM]\d+$/.test(row) ? [{ row, files: (cells.at(-2) ?? "").split(", "), cells: cells.slice(2, -2) }] : []
  })

for (const file of files)
  it(`docs/fal.md names test/fal/${file}.test.ts for the rows that it tests, and for no other`, () => {
    const named = table.filter((line) => line.files.includes(file)).map(({ row }) => row)
    assert.deepStrictEqual(named.toSorted(), [...tested(file)].toSorted())
  })

it("each row stands once, says all that a row says, and has a test", () => {
  assert.isAbove(table.length, 40)
  assert.strictEqual(new Set(table.map(({ row }) => row)).size, table.length)
  for (const { cells, files: named, row } of table) {
    assert.strictEqual(cells.filter((cell) => cell !== "").length, 4, row)
    for (const file of named) assert.include(files, file, row)
  }
})

it("each fault of a stream is set by a test of a row", () => {
  for (const kind of Object.keys(streamFaults)) assert.match(here("./contract.test.ts"), new RegExp(`kind: "${kind}"`))
})
