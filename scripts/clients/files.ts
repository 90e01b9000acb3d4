import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { hash, prices, results, returned, tasks } from "./contract.ts"
import { python } from "./python.ts"
import { typescript } from "./typescript.ts"

export const root = join(import.meta.dirname, "..", "..")
/** Every version of the contract with the hash of its schemas. */
export const HISTORY = "clients/versions.json"

export const history = (): Readonly<Record<string, string>> =>
  existsSync(join(root, HISTORY)) ? JSON.parse(readFileSync(join(root, HISTORY), "utf8")) : {}

const schemaOf = (contract: string) => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: `model-generator's tasks, contract ${contract}`,
  $comment:
    "Written by `npm run clients`. `x-levels` and `x-characters` bound JSON by its depth and its length; `x-picture` is the address of a picture. maxLength counts as JavaScript does.",
  $defs: {
    ...Object.fromEntries(
      Object.entries(tasks).flatMap(([name, { request, result, rules }]) => [
        [`${name}.arguments`, { ...request, ...rules }],
        [`${name}.result`, { $ref: `#/$defs/${result}` }]
      ])
    ),
    "edit_model.model": returned,
    ...results
  }
})

/** What `npm run clients` writes, by path. */
export const files = async (version: string): Promise<Readonly<Record<string, string>>> => {
  const contract = `${version}-${hash}`
  const modules = Object.entries(python(version, contract, await prices))
  return {
    [HISTORY]: `${JSON.stringify({ ...history(), [version]: hash }, null, 2)}\n`,
    "src/programs/contract.json": `${JSON.stringify({ version, hash })}\n`,
    "clients/model-generator.schema.json": `${JSON.stringify(schemaOf(contract), null, 2)}\n`,
    "clients/model-generator.d.ts": `${typescript(contract)}\n`,
    ...Object.fromEntries(modules.map(([name, text]) => [`clients/python/src/model_generator/${name}`, text]))
  }
}
