/** Whether the files of a media store and the rows of the library belong together. */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Row } from "./judge.ts"

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex")

/** What is wrong, in words: a row whose file is missing or has other bytes than its name says, and a file that no row names. */
export const wrongFiles = (folder: string, rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const named = new Set<string>()
  const wrong: Array<string> = []
  for (const { id, image_url, thumbnail_url } of rows) {
    for (const address of [image_url, thumbnail_url]) {
      if (!address?.startsWith("file://")) {
        wrong.push(`row ${id} has ${address}`)
        continue
      }
      const path = fileURLToPath(address)
      named.add(basename(path))
      try {
        if (!basename(path).startsWith(sha256(path))) wrong.push(`row ${id}: the bytes of ${address} are others`)
      } catch (error) {
        wrong.push(`row ${id}: ${String(error)}`)
      }
    }
  }
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const { name, parentPath } of files)
    if (!named.has(name) && !name.startsWith(".draft-")) wrong.push(`no row names ${join(parentPath, name)}`)
  return wrong
}
