import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import * as JournalRedis from "../../../src/layers/redis/JournalRedis.ts"
import { Journal } from "../../../src/services/Journal.ts"
import { priced } from "../../contracts/budget.ts"
import { describeWith, freshRedis } from "../../servers/index.ts"
import { identity, settings } from "../../support.ts"
import { program } from "./program.ts"

const { run } = program()

describeWith(["redis"], "budget", ({ redis }) => {
  it.live(
    "shows what is used and left, sets a limit for a while that all workers keep to, and clears it",
    () =>
      Effect.gen(function* () {
        const { url } = yield* freshRedis(redis)
        const env = { CELERY_BROKER_URL: url, BUDGET_DAY: "0.03", BUDGET_CAPS: "caller:shop=5/month" }
        const buy = Effect.flatMap(Journal, ({ intend }) => intend(`t-${Math.random()}`, priced, Option.none()))
        const worker = Layer.fresh(JournalRedis.layer).pipe(Layer.provide([identity(), settings(env)]), Layer.orDie)
        yield* Effect.gen(function* () {
          assert.strictEqual(yield* buy, "written")
          const { budgets, ...reserved } = JSON.parse((yield* run(["budget", "show", "--json"], env)).stdout)
          assert.deepStrictEqual(reserved, { reservations: 1, reserved_usd: 0.025 })
          assert.deepStrictEqual(
            budgets.map((one: Record<string, unknown>) => [one["span"], one["subject"], one["used_usd"], one["left_usd"]]),
            [
              ["day", "all", 0.025, 0.005],
              ["month", "all", 0.025, null],
              ["month", "caller:shop", 0, 5]
            ]
          )
          const table = (yield* run(["budget", "show"], env)).stdout
          assert.match(table, /day +all +\d{4}-\d\d-\d\d +\$0\.025 +\$0\.03 +\$0\.005 /)
          assert.include(table, "no cap")

          assert.propertyVal(yield* buy, "_tag", "over")
          const raised = yield* run(["budget", "set", "day", "0.06", "--hours", "1"], env)
          assert.match(raised.stdout, /^the limit of all is \$0\.06 a day until .* UTC: \$0\.025 used, \$0\.035 left\n$/)
          assert.strictEqual(yield* buy, "written")
          assert.match((yield* run(["budget", "show"], env)).stdout, /set by hand until/)
          const plan = yield* run(["batch", "--count", "5", "--dry-run"], env)
          assert.match(plan.stdout, /\n5 of 5 will wait for money: the budget of the day has \$0\.01 left until .* UTC\n/)
          assert.strictEqual((yield* run(["budget", "clear", "day"], env)).stdout, "the limit of all is $0.03 a day again\n")
          assert.propertyVal(yield* buy, "_tag", "over")
        }).pipe(Effect.provide(worker))

        const wrong = yield* run(["budget", "set", "day", "1e3"], env)
        assert.deepStrictEqual(
          [wrong.code, wrong.stderr],
          [2, 'model-generator: dollars: expects a number such as 5 or 0.50, not "1e3"\n']
        )
        const unknown = yield* run(["budget", "set", "month", "5", "--caller", "nobody"], env)
        assert.strictEqual(unknown.code, 1)
        assert.include(unknown.stderr, "no cap of caller:nobody for a month in BUDGET_CAPS")
      }),
    60_000
  )

  it.live("says which setting is wrong, and that Redis is away", () =>
    Effect.gen(function* () {
      const wrong = yield* run(["budget", "show"], {
        CELERY_BROKER_URL: "redis://127.0.0.1:1/0",
        BUDGET_DAY: "$5",
        BUDGET_CAPS: "shop=5"
      })
      assert.strictEqual(wrong.code, 2)
      assert.include(wrong.stderr, "BUDGET_DAY expects US dollars")
      assert.include(wrong.stderr, "BUDGET_CAPS expects caps such as")
      const away = yield* run(["budget", "show"], { CELERY_BROKER_URL: "redis://127.0.0.1:1/0" })
      assert.strictEqual(away.code, 1)
      assert.include(away.stderr, "the budget cannot be asked: is Redis up")
    })
  )
})
