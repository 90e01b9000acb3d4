/** Writes what callers use of the tasks' schemas: `npm run clients`, after a change `npm run clients -- --version 1.1.0`. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { hash } from "./contract.ts"
import { files, history, root } from "./files.ts"

const { values } = parseArgs({ options: { version: { type: "string" } } })
const known = history()
const version = values.version ?? Object.keys(known).at(-1) ?? "1.0.0"
if (known[version] !== undefined && known[version] !== hash) {
  console.error(`the schemas are not those of contract ${version}: npm run clients -- --version NEXT, and a line in CHANGELOG.md`)
  process.exitCode = 1
} else {
  for (const [path, text] of Object.entries(await files(version))) writeFileSync(join(root, path), text)
  console.log(`contract ${version}-${hash}`)
}
