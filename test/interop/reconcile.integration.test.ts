/** The ledger compared with fal's bill, as an operator does it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { simulate } from "../../src/fal-simulator/simulate.ts"
import * as LedgerSql from "../../src/layers/postgres/LedgerSql.ts"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import { compare } from "../../src/programs/commands/reconcile.ts"
import { Ledger } from "../../src/services/Ledger.ts"
import { usd } from "../../src/services/NanoDollars.ts"
import { aRow } from "../contracts/ledger.ts"
import { connected } from "../layers/databases.ts"
import { program } from "../programs/commands/program.ts"
import { describeWith, freshDatabase } from "../servers/index.ts"
import { eventually } from "../support.ts"

describe("a request of the ledger", () => {
  const charge = (requestId: string, cost: string | null, at = 5) => ({
    requestId,
    endpoint: "fal-ai/flux/dev",
    at,
    units: 1,
    cost: cost === null ? null : usd(cost)
  })
  const findings = (rows: Parameters<typeof compare>[0], charges: Parameters<typeof compare>[1]) =>
    compare(rows, charges, 0, 100).map(({ billed, finding, requestId }) => [finding, requestId, billed])

  it("agrees with its charge, differs from it, or has none; and a charge may belong to no request", () => {
    const rows = ["a", "b", "c", "d"].map((requestId) => aRow({ requestId, cost: usd("0.025") }))
    const charges = [charge("a", "0.025"), charge("b", "0.05"), charge("d", null), charge("x", "0.03")]
    assert.deepStrictEqual(findings(rows, charges), [
      ["same", "a", usd("0.025")],
      ["differs", "b", usd("0.05")],
      ["not billed", "c", null],
      ["same", "d", null],
      ["not in the ledger", "x", usd("0.03")]
    ])
  })

  it("without an id is compared with nothing, and charges of another time are nobody's business", () => {
    assert.deepStrictEqual(findings([aRow({ requestId: null })], [charge("late", "0.03", 100)]), [])
    assert.deepStrictEqual(findings([aRow({ requestId: "late", cost: usd("0.03") })], [charge("late", "0.03", 100)]), [
      ["same", "late", usd("0.03")]
    ])
  })
})

describeWith(["postgres"], "model-generator reconcile", ({ postgres }) => {
  const { run } = program()

  it.live(
    "lists what differs, what is not billed and what nobody claims, and adds up what was billed in place of estimates",
    () =>
      Effect.gen(function* () {
        const { url } = yield* freshDatabase(postgres)
        yield* Effect.provide(Migrations.migrate, connected(url))
        const fal = yield* simulate({ key: "an:api-key", adminKey: "an:admin-key", pictureSeconds: 0.05, concurrency: 9 })
        const submit = Effect.promise(async (): Promise<string> => {
          const answer = await fetch(`${fal.url}/fal-ai/flux/dev`, {
            method: "POST",
            headers: { authorization: "Key an:api-key", "content-type": "application/json" },
            body: JSON.stringify({ prompt: "a coat" })
          })
          const body = (await answer.json()) as { readonly request_id: string } // the simulator's own
          return body.request_id
        })
        const [same, differs, unclaimed] = [yield* submit, yield* submit, yield* submit]
        yield* eventually("all have ended", fal.ledger, (rows) => rows.every(({ units }) => units === 1))
        const at = Date.now() - 60_000
        const rows = [
          aRow({ at, requestId: same, cost: usd("0.025"), taskId: "one" }),
          aRow({ at: at + 1, requestId: differs, cost: usd("0.03"), taskId: "two" }),
          aRow({ at: at + 2, requestId: "never-billed", cost: usd("0.025"), taskId: "three" }),
          aRow({ at, requestId: null, cost: usd("0.025"), taskId: "four", outcome: "uncertain" })
        ]
        yield* Effect.flatMap(Ledger, ({ record }) => record(rows)).pipe(
          Effect.provide(LedgerSql.layer.pipe(Layer.provide(connected(url))))
        )
        const env = { DATABASE_URL: url, FAL_KEY: "an:api-key", FAL_ADMIN_KEY: "an:admin-key", FAL_BASE_URL: fal.url }
        const since = ["--since", new Date(at - 1000).toISOString()]
        const reconcile = (...args: ReadonlyArray<string>) => run(["reconcile", ...since, ...args], env)

        const { code, stderr, stdout } = yield* reconcile("--json", "--dry-run")
        assert.strictEqual(code, 0, stderr)
        const { counts, ledger_usd, new_bills, requests, total_usd, without_request_id } = JSON.parse(stdout)
        assert.deepStrictEqual(counts, { same: 1, differs: 1, "not billed": 1, "not in the ledger": 1 })
        assert.deepStrictEqual([ledger_usd, total_usd, without_request_id, new_bills], [0.105, 0.1, 1, 2])
        assert.deepStrictEqual(
          requests.map((one: Record<string, unknown>) => [one["finding"], one["fal_request_id"], one["task_id"]]),
          [
            ["differs", differs, "two"],
            ["not billed", "never-billed", "three"],
            ["not in the ledger", unclaimed, null]
          ]
        )
        // A look changes nothing; then fal's figures take the place of ours, once.
        const spent = Effect.gen(function* () {
          const { stdout } = yield* run(["ledger", "--by", "request", "--json", ...since], env)
          const { requests } = JSON.parse(stdout) as { requests: ReadonlyArray<Record<string, unknown>> } // the command's own
          return requests.map(({ cost_source, cost_usd, task_id }) => [task_id, cost_usd, cost_source])
        })
        assert.deepInclude(yield* spent, ["two", 0.03, "units"])
        const table = (yield* reconcile()).stdout
        assert.include(table, "2 bills are kept beside the ledger")
        assert.sameDeepMembers(yield* spent, [
          ["one", 0.025, "billed"],
          ["two", 0.025, "billed"],
          ["three", 0.025, "units"],
          ["four", 0.025, "units"]
        ])
        assert.notInclude((yield* reconcile()).stdout, "bills are kept")
        assert.match(table, /differs +0\.03 +0\.025 +fal-ai\/flux\/dev/)
        assert.include(table, "$0.105 in the ledger, $0.10 with what fal has billed in place of estimates")

        yield* fal.setFaults({ kind: "error", status: 500, route: "platform" })
        const failed = yield* reconcile()
        assert.strictEqual(failed.code, 1)
        assert.include(failed.stderr, "billing events cannot be read")
        const keyless = yield* run(["reconcile"], { DATABASE_URL: url, FAL_KEY: "an:api-key" })
        assert.strictEqual(keyless.code, 1)
        assert.include(keyless.stderr, "FAL_ADMIN_KEY is not set")
      }),
    60_000
  )
})
