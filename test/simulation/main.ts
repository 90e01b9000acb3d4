/**
 * `npm run simulate -- --seeds 10000 --from 1`: so many runs, and what was lost, saved twice or paid twice in them.
 * `--seed 7` (or SEED=7) shows the steps of one run. `--mutants` plants known bugs and shows what catches each.
 */
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { tryMutants } from "./mutation.ts"
import { summary } from "./Report.ts"
import { simulate } from "./simulate.ts"
import { runThreads } from "./threads.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    threads: { type: "string", default: "2" },
    seed: { type: "string", ...(process.env["SEED"] === undefined ? {} : { default: process.env["SEED"] }) },
    mutants: { type: "boolean", default: false },
    only: { type: "string" }
  }
})
const write = (line: string) => process.stdout.write(`${line}\n`)
const started = performance.now()
const took = () => `${((performance.now() - started) / 1000).toFixed(1)} s`

if (values.seed !== undefined) {
  const { trace, violations } = simulate(Number(values.seed), true)
  for (const line of trace) write(line)
  write(violations.length === 0 ? "all promises kept" : violations.join("\n"))
  process.exitCode = violations.length === 0 ? 0 : 1
} else if (values.mutants) {
  const caught = await tryMutants(
    root,
    { seeds: Number(values.seeds), threads: Number(values.threads), only: values.only },
    write
  )
  write(`${caught.filter(Boolean).length} of ${caught.length} mutants caught, ${took()}`)
  process.exitCode = caught.every(Boolean) ? 0 : 1
} else {
  const report = await runThreads(
    root,
    { from: Number(values.from), count: Number(values.seeds) },
    Number(values.threads),
    ({ failures }) => {
      for (const { seed, violations } of failures) {
        write(`seed ${seed}:`)
        for (const violation of violations) write(`  ${violation}`)
        write(`  its steps: npm run simulate -- --seed ${seed}`)
      }
    }
  )
  write(`${summary(report)}, ${took()}`)
  process.exitCode = report.failures.length === 0 ? 0 : 1
}
