import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { Audit } from "../../../src/services/Audit.ts"
import { Budget } from "../../../src/services/Budget.ts"
import { Ledger } from "../../../src/services/Ledger.ts"
import { usd } from "../../../src/services/NanoDollars.ts"
import { Reviews } from "../../../src/services/Reviews.ts"
import { aRow } from "../../contracts/ledger.ts"
import { addPicture, console_ } from "./stage.ts"
import { visitor } from "./visiting.ts"

const EVIL = `"><script>window.hit=1</script>`
const budgets = { BUDGET_DAY: "5", BUDGET_CAPS: "caller:shop=2/day" }

describe("the page of money", () => {
  it.live("shows each budget and what was paid, by whom and for what; a caller's name is no markup", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { bill, record } = yield* Ledger
        const row = aRow({ at: Date.now() - 1, caller: EVIL, cost: usd("0.03"), source: "estimate" })
        yield* record([row])
        const { ask, signIn } = yield* visitor
        yield* signIn("vera")
        const { status, text } = yield* ask("/money")
        assert.strictEqual(status, 200)
        assert.match(text, /caller:shop/)
        assert.match(text, /\$5\.00/)
        assert.match(text, /data-title="Of it estimated">\$0\.03</)
        assert.notInclude(text, "<script>window")
        assert.notInclude(text, "Set until its period ends")
        yield* bill([{ requestId: row.requestId!, units: 1, cost: usd("0.025"), at: Date.now() }])
        const billed = (yield* ask("/money")).text
        assert.match(billed, /data-title="Cost">\$0\.025</)
        assert.notMatch(billed, /data-title="Of it estimated">\$/)
      }).pipe(Effect.provide(console_(budgets)))
    )
  )

  it.live("says what each approved picture of this month has cost, with what was paid for the others in it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { record } = yield* Ledger
        const { decide } = yield* Reviews
        const kept = yield* addPicture()
        yield* addPicture()
        yield* record([aRow({ at: Date.now() - 1, taskId: "wasted", requestId: "wasted", cost: usd("0.05"), outcome: "wasted" })])
        const { ask, signIn } = yield* visitor
        yield* signIn("vera")
        assert.notInclude((yield* ask("/money")).text, "approved picture")
        yield* decide({ id: randomUUID(), modelId: kept.id, verdict: "approved", reason: null, who: "anna", seen: null })
        const text = (yield* ask("/money")).text.replaceAll(/\s+/g, " ")
        assert.match(text, /<dt>for its approved picture<\/dt> <dd>\$0\.1000<\/dd>/) // twice 0.025, and 0.05
      }).pipe(Effect.provide(console_(budgets)))
    )
  )

  it.live("lets an operator set a limit until its period ends, and go back to the settings, once it is confirmed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const budget = yield* Budget
        const shop = Effect.map(budget.status, ({ standings }) => standings.find(({ subject }) => subject === "caller:shop")!)
        const { ask, post, signIn } = yield* visitor
        const set = { budget: "day caller:shop", deed: "set", dollars: "7.50" }
        yield* signIn("anna")
        assert.strictEqual((yield* post("/money", { ...set, sure: "1" })).status, 403)
        yield* signIn("olga")
        assert.include((yield* ask("/money")).text, "Set until its period ends")
        const asked = yield* post("/money", set)
        assert.match(asked.text, /Sets the budget of the day for caller:shop to \$7\.50/)
        assert.isNull((yield* shop).override)
        for (const wrong of [{ dollars: "much" }, { budget: "day nobody" }, { deed: "steal" }])
          assert.strictEqual((yield* post("/money", { ...set, sure: "1", ...wrong })).status, 400)
        assert.strictEqual((yield* post("/money", { ...set, sure: "1" }, { "sec-fetch-site": "cross-site" })).status, 403)
        assert.strictEqual((yield* post("/money", { ...set, sure: "1" })).status, 303)
        const standing = yield* shop
        assert.deepStrictEqual(standing.override, { limit: usd("7.5"), until: standing.ends })
        const [entry] = yield* (yield* Audit).list(null, 1)
        assert.deepInclude(entry, { who: "olga", action: "set a budget", subject: "the budget of the day for caller:shop" })
        assert.strictEqual((yield* post("/money", { ...set, deed: "clear", sure: "1" })).status, 303)
        assert.deepInclude(yield* shop, { override: null, limit: usd("2") })
      }).pipe(Effect.provide(console_(budgets)))
    )
  )
})
