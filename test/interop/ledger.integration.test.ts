/** The ledger as an operator sees it: the delivered program over PostgreSQL and PgBouncer. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as LedgerSql from "../../src/layers/postgres/LedgerSql.ts"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import { Ledger } from "../../src/services/Ledger.ts"
import { aRow } from "../contracts/ledger.ts"
import { connected } from "../layers/databases.ts"
import { program } from "../programs/commands/program.ts"
import { describeWith, freshDatabase } from "../servers/index.ts"

describeWith(["postgres"], "model-generator ledger", ({ postgres }) => {
  const { run } = program()
  const at = (text: string) => Date.parse(text)

  it.live(
    "adds up by what it is asked for, lists each request, and refuses a day that is none",
    () =>
      Effect.gen(function* () {
        const { url } = yield* freshDatabase(postgres)
        yield* Effect.provide(Migrations.migrate, connected(url))
        const rows = [
          aRow({ at: at("2026-10-31T23:59:59.999Z"), caller: "studio", taskId: "october" }),
          aRow({ at: at("2026-11-01T00:00:00Z"), caller: "studio", taskId: "first" }),
          aRow({ at: at("2026-11-01T12:00:00Z"), caller: "=app", taskId: "second", outcome: "flagged" }),
          aRow({
            at: at("2026-11-30T23:59:59Z"),
            caller: "=app",
            taskId: "third",
            outcome: "uncertain",
            requestId: null,
            units: null,
            source: "estimate"
          })
        ]
        yield* Effect.flatMap(Ledger, ({ record }) => record(rows)).pipe(
          Effect.provide(LedgerSql.layer.pipe(Layer.provide(connected(url))))
        )
        const november = ["--since", "2026-11-01", "--until", "2026-12-01"]
        const ledger = (...args: ReadonlyArray<string>) => run(["ledger", ...args], { DATABASE_URL: url })

        const days = yield* ledger(...november)
        assert.strictEqual(days.code, 0, days.stderr)
        assert.match(days.stdout, /2026-11-01 +2 +0\.05 +0\.00 +0\n2026-11-30 +1 +0\.025 +0\.025 +0/)
        assert.include(days.stdout, "$0.075 in all")

        const callers = JSON.parse((yield* ledger(...november, "--by", "caller", "--json")).stdout)
        assert.deepStrictEqual(callers.groups, [
          { caller: "=app", requests: 2, cost_usd: 0.05, estimated_usd: 0.025, unpriced: 0 },
          { caller: "studio", requests: 1, cost_usd: 0.025, estimated_usd: 0, unpriced: 0 }
        ])
        assert.strictEqual(callers.total_usd, 0.075)
        assert.include(callers.forecast.is, "an estimate")

        const months = yield* ledger("--by", "month", "--csv")
        assert.strictEqual(
          months.stdout,
          "month,requests,cost_usd,estimated_usd,unpriced\n2026-10,1,0.025,0,0\n2026-11,3,0.075,0.025,0\n"
        )
        const lines = (yield* ledger("--by", "request", "--csv", "--since", "2026-11-01T12:00:00+01:00")).stdout
          .trim()
          .split("\n")
        assert.lengthOf(lines, 3)
        assert.match(
          lines[1]!,
          /^2026-11-01T12:00:00\.000Z,second,0\.123456789012345,root,'=app,fal-ai\/flux\/dev,[-\w]+,flagged,1,0\.025,0\.025,units$/
        )
        assert.match(lines[2]!, /,third,.*,,uncertain,,0\.025,0\.025,estimate$/)

        for (const wrong of ["2026-13-01", "yesterday", "2026-11-01T06:00"]) {
          const { code, stderr } = yield* ledger("--since", wrong)
          assert.strictEqual(code, 2, wrong)
          assert.include(stderr, "expected a day as 2026-11-01")
        }
        const away = yield* run(["ledger"], { DATABASE_URL: "postgresql://nobody@127.0.0.1:1/nothing" })
        assert.strictEqual(away.code, 1)
        assert.include(away.stderr, "ECONNREFUSED")
      }),
    60_000
  )
})
