import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { rmSync } from "node:fs"
import { describeWith } from "../servers/index.ts"
import { chaos } from "./chaos.ts"
import * as Failovers from "./failovers.ts"
import { broken, summary, table } from "./report.ts"

describeWith(["redis", "postgres", "celery53"], "chaos, in short", ({ celery53 }) => {
  it.live(
    "workers are killed at every step, answers lost, servers restarted: every task ends once, is paid once and saved once, and its files are those of its row",
    () =>
      Effect.gen(function* () {
        const seed = process.env["CHAOS_SEED"] ?? String(process.pid)
        const outcome = yield* chaos({
          python: celery53.python,
          seed,
          length: "short",
          tasks: 15,
          minutes: 0,
          store: "folder"
        })
        process.stdout.write(`chaos: seed ${seed}, ${summary(outcome)}\n`)
        assert.deepStrictEqual(broken(outcome), [], `${table(outcome)}\nwhat happened: ${outcome.folder}`)
        rmSync(outcome.folder, { recursive: true })
      }),
    600_000
  )

  it.live(
    "a replica of Redis is promoted that lags behind: every task ends, and is paid again only where its request was forgotten",
    () =>
      Effect.gen(function* () {
        const seed = process.env["CHAOS_SEED"] ?? String(process.pid)
        const outcome = yield* Failovers.failovers({ python: celery53.python, seed, promotions: 2 })
        process.stdout.write(`failovers: seed ${seed}, ${Failovers.summary(outcome)}\n`)
        assert.deepStrictEqual(Failovers.broken(outcome), [], `what happened: ${outcome.folder}`)
        rmSync(outcome.folder, { recursive: true })
      }),
    600_000
  )
})
