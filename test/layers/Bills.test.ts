import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer } from "effect"
import { simulate } from "../../src/fal-simulator/simulate.ts"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as Provider from "../../src/layers/Provider.ts"
import { Bills } from "../../src/services/Bills.ts"
import { Catalogue, PORTRAIT } from "../../src/services/Catalogue.ts"
import { Generator } from "../../src/services/Generator.ts"
import { usd } from "../../src/services/NanoDollars.ts"
import { eventually } from "../support.ts"

const KEY = "11223344-key-id:5566778899-secret"
const ADMIN = "99887766-admin-id:4433221100-secret"

/** The bills of a fal of one's own, whose pictures take no time. */
const make = Effect.fnUntraced(function* (adminKey: string | undefined = ADMIN) {
  const simulator = yield* simulate({ key: KEY, adminKey: ADMIN, pictureSeconds: 0.05, concurrency: 10 })
  const env = { FAL_KEY: KEY, FAL_BASE_URL: simulator.url, ...(adminKey === undefined ? {} : { FAL_ADMIN_KEY: adminKey }) }
  const context = yield* Layer.build(
    Layer.provideMerge(Provider.generator, MetricsMemory.layer).pipe(
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env)))
    )
  )
  const bills = Context.get(context, Bills)
  const { endpoints, inputOf } = Context.get(context, Catalogue)
  const { submit } = Context.get(context, Generator)
  const buy = (seed: number, prompt: string) =>
    submit({
      endpoint: endpoints.Generate,
      input: inputOf({ _tag: "Generate", prompt, seed, size: PORTRAIT }, endpoints.Generate)
    })
  const today = bills.between(Date.now() - 3_600_000, Date.now() + 3_600_000)
  const charged = (count: number) => eventually("charged", today, ({ length }) => length === count)
  return { bills, buy, charged, simulator, today }
})

describe("fal's bills", () => {
  it.live("have each request with its time, units and cost, and its result tells what it was asked for", () =>
    Effect.gen(function* () {
      const { bills, buy, charged, simulator } = yield* make()
      const tickets = [yield* buy(7, "a red coat"), yield* buy(8, "a blue coat")]
      const charges = yield* charged(2)
      assert.sameMembers(
        charges.map(({ requestId }) => requestId),
        tickets.map(({ requestId }) => requestId)
      )
      for (const { at, cost, endpoint, units } of charges) {
        assert.deepStrictEqual([endpoint, units, cost], ["fal-ai/flux/dev", 1, usd("0.025")])
        assert.closeTo(at, Date.now(), 60_000)
      }
      const made = bills.made("fal-ai/flux/dev", tickets[1]!.requestId)
      assert.deepStrictEqual(yield* made, { seed: 8, prompt: "a blue coat" })
      const asked = (yield* simulator.calls).result
      assert.deepStrictEqual(yield* made, { seed: 8, prompt: "a blue coat" }, "remembered")
      assert.strictEqual((yield* simulator.calls).result, asked)
    })
  )

  it.live("may be late and have gaps, and have only what lies in the time asked for", () =>
    Effect.gen(function* () {
      const { bills, buy, charged, simulator, today } = yield* make()
      yield* buy(1, "one")
      yield* charged(1)
      yield* simulator.configure({ billingSeconds: 60 })
      assert.deepStrictEqual(yield* today, [])
      yield* simulator.configure({ billingSeconds: 0, billingMissing: 1 })
      assert.deepStrictEqual(yield* today, [])
      yield* simulator.configure({ billingMissing: 0 })
      assert.deepStrictEqual(yield* bills.between(Date.now() - 7_200_000, Date.now() - 3_600_000), [])
    })
  )

  it.live("that cannot be read fail in words without a key in them", () =>
    Effect.gen(function* () {
      const { bills, simulator, today } = yield* make()
      yield* simulator.setFaults({ kind: "error", status: 500, route: "platform" })
      assert.match((yield* Effect.flip(today)).detail, /billing-events: fal answered 500/)
      const unknown = Effect.flip(bills.made("fal-ai/flux/dev", "nobody"))
      const before = (yield* simulator.calls).result
      assert.match((yield* unknown).detail, /fal answered 404/)
      assert.match((yield* unknown).detail, /fal answered 404/)
      assert.strictEqual((yield* simulator.calls).result, before + 2, "a failure is not remembered")
      const { today: refused } = yield* make(KEY)
      const { detail } = yield* Effect.flip(refused)
      assert.include(detail, "fal answered 401")
      assert.notInclude(detail, "secret")
    })
  )

  it.live("are not to be read without FAL_ADMIN_KEY", () =>
    Effect.gen(function* () {
      const { bills, today } = yield* make("")
      assert.isFalse(bills.isReadable)
      assert.include((yield* Effect.flip(today)).detail, "FAL_ADMIN_KEY is not set")
    })
  )
})
