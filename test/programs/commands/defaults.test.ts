import { assert, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..", "..", "..")

/** Each flag with a default: its name, what `--help` says of it, and the default as it is written in the code. */
const flagsWithDefaults = globSync("src/programs/commands/*.ts", { cwd: root }).flatMap((file) =>
  readFileSync(join(root, file), "utf8")
    .split(/(?=Flag\.(?:String|Int|Finite|Boolean|Literals|Path)\()/)
    .flatMap((text) => {
      const name = /^Flag\.\w+\(\s*"([\w-]+)"/.exec(text)?.[1]
      const given = /Flag\.withDefault\(([^)]*)\)/.exec(text)?.[1]
      const description = /Flag\.withDescription\(\s*(["'`][^]*?["'`])\s*\)/.exec(text)?.[1] ?? ""
      return name === undefined || given === undefined ? [] : [{ file, name, description, given }]
    })
)

it("every flag's help shows its default; what is off by default need not say so", () => {
  assert.isAbove(flagsWithDefaults.length, 20)
  for (const { description, file, given, name } of flagsWithDefaults) {
    if (given === "false") continue
    const value = given === "true" ? "the default" : given.replaceAll(/^"|"$|" as const$/g, "")
    const factors = value.split("*").map((factor) => Number(factor.replaceAll("_", "")))
    const shown = factors.every(Number.isFinite) ? String(factors.reduce((product, factor) => product * factor)) : value
    assert.include(description.replaceAll("${", "").replaceAll("}", ""), shown, `--${name} in ${file}`)
  }
})
