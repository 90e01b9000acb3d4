import { existsSync, renameSync } from "node:fs"
import { basename, join } from "node:path"
import { rolldown } from "rolldown"
import { inject } from "vitest"
import config from "../../rolldown.config.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where this run keeps what it builds: within the checkout, so that the demo finds PGlite and sharp. */
    readonly builds: string
  }
}

const root = join(import.meta.dirname, "..", "..")

/** The program as it is delivered, built by the first test of a run that starts it. */
export const bundle = async () => {
  const file = join(inject("builds"), "model-generator.mjs")
  if (existsSync(file)) return file
  // The program last: where it is, the decoder beside it is too.
  for (const { output, ...input } of config.toReversed()) {
    const draft = join(inject("builds"), `${process.pid}.mjs`)
    const made = await rolldown({ ...input, cwd: root, logLevel: "silent" })
    await made.write({ ...output, file: draft, sourcemap: false })
    await made.close()
    renameSync(draft, join(inject("builds"), basename(output.file)))
  }
  return file
}
