/** `docs/borders.md` cites tests by file and words: all of them exist. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const read = (path: string) => readFileSync(join(root, path), "utf8")
const rows = read("docs/borders.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (situation|-)/.test(line))
  .map((line) => ({ situation: line.split(" | ")[0]!.slice(2).trim(), tests: line.split(" | ").at(-1)! }))

describe("docs/borders.md", () => {
  it("has a row for each situation", () => assert.isAbove(rows.length, 40))

  for (const { situation, tests } of rows) {
    it(`names tests that exist: ${situation}`, () => {
      const files = [...tests.matchAll(/`((?:test|scripts)\/[^`]+)`(?:: ((?:"[^"]+"(?:, )?)+))?/g)]
      assert.isNotEmpty(files)
      for (const [, file = "", titles = ""] of files) {
        assert.isTrue(existsSync(join(root, file)), `${file} does not exist`)
        for (const [, title = ""] of titles.matchAll(/"([^"]+)"/g)) assert.include(read(file), title)
      }
    })
  }
})
