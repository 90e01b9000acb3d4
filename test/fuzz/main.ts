/** `npm run fuzz -- --seconds 600 [--only NAME] [--seed N]`: the tests of fuzz.test.ts for longer, or one case of them. */
import { parseArgs } from "node:util"
import { startVitest } from "vitest/node"

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, only: { type: "string" }, seed: { type: "string" } }
})
process.env["FUZZ_SECONDS"] = values.seconds
if (values.only !== undefined) process.env["FUZZ_ONLY"] = values.only
if (values.seed !== undefined) process.env["FUZZ_SEED"] = values.seed
const vitest = await startVitest("test", ["test/fuzz/"], { watch: false })
await vitest.close()
process.exit(process.exitCode ?? 0)
