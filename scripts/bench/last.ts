import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Report } from "./report.ts"

const folder = join(import.meta.dirname, "..", "..", "docs", "bench")

/** What the last whole run found: the files are named for when it was. */
export const last = (): Report | undefined => {
  const file = globSync("*.json", { cwd: folder }).toSorted().at(-1)
  return file === undefined ? undefined : JSON.parse(readFileSync(join(folder, file), "utf8"))
}
