import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeWith } from "../servers/index.ts"
import { chaos } from "./chaos.ts"
import { broken, summary, table } from "./report.ts"

describeWith(["redis", "postgres", "celery53"], "chaos, in short", ({ celery53 }) => {
  it.live(
    "workers are killed at every step, answers lost, servers restarted: every task ends once, is paid once and saved once",
    () =>
      Effect.gen(function* () {
        const seed = process.env["CHAOS_SEED"] ?? String(process.pid)
        const said: Array<string> = []
        const report = (line: string) => void said.push(line)
        const outcome = yield* chaos({ python: celery53.python, seed, length: "short", tasks: 15, minutes: 0, report })
        process.stdout.write(`chaos: seed ${seed}, ${summary(outcome)}\n`)
        assert.deepStrictEqual(broken(outcome), [], [...said, table(outcome)].join("\n"))
      }),
    600_000
  )
})
