import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { hash } from "../../scripts/clients/contract.ts"
import * as failures from "../../scripts/clients/failures.ts"
import { files, history, root } from "../../scripts/clients/files.ts"
import * as Parameters from "../../src/programs/generation/tasks/Parameters.ts"
import { CONTRACT } from "../../src/programs/version.ts"

const read = (path: string) => readFileSync(join(root, path), "utf8")

describe("what callers use", () => {
  it("has a version of its own for every change of an argument, a result or a failure", () => {
    const [version, latest] = Object.entries(history()).at(-1) ?? []
    assert.strictEqual(latest, hash, "the schemas changed: npm run clients -- --version NEXT, and a line in CHANGELOG.md")
    assert.strictEqual(CONTRACT, `${version}-${hash}`)
  })

  it("is what the schemas make of it", async () => {
    const [version = ""] = Object.keys(history()).slice(-1)
    for (const [path, text] of Object.entries(await files(version)))
      assert.strictEqual(read(path), text, `${path} is not what npm run clients writes`)
  })

  it("knows every failure of the worker, and what to do about it as the README says", () => {
    const source = read("src/programs/celery/TaskFailure.ts")
    const named = (module: string) =>
      [...source.matchAll(new RegExp(`make\\(${module}, "(\\w+)"\\)`, "g"))].map(([, name]) => name)
    assert.sameMembers(named("ours"), Object.keys(failures.ours))
    const stock = Object.keys(failures.stock)
    for (const name of [...source.matchAll(/make\("[\w.]+", "(\w+)"\)/g)].map(([, one]) => one)) assert.include(stock, name)
    const readme = read("README.md")
    for (const name of [...Object.keys(failures.ours), ...stock]) assert.include(readme, `\`${name}\``)
  })
})

it("an age range is one that begins at 18 and grows, and no other text", () => {
  const is = Schema.is(Parameters.AgeRange)
  const two = Array.from({ length: 100 }, (_, at) => String(at).padStart(2, "0"))
  for (const from of two)
    for (const to of two)
      assert.strictEqual(is(`${from}-${to}`), Number(from) >= 18 && Number(from) < Number(to), `${from}-${to}`)
  for (const text of ["", "25", "25-", "25-35 ", "25-35\n", "25–35", "025-35", "25-100", "٢٥-٣٥"]) assert.isFalse(is(text), text)
})
