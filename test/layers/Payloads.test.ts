import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer } from "effect"
import { simulate } from "../../src/fal-simulator/simulate.ts"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as Provider from "../../src/layers/Provider.ts"
import { Catalogue, PORTRAIT } from "../../src/services/Catalogue.ts"
import { Generator } from "../../src/services/Generator.ts"
import { Payloads } from "../../src/services/Payloads.ts"
import { eventually } from "../support.ts"

const KEY = "11223344-key-id:5566778899-secret"
const ADMIN = "99887766-admin-id:4433221100-secret"

/** A fal of one's own, and what is kept there as an administrator's key reaches it. */
const make = Effect.fnUntraced(function* (adminKey: string | undefined = ADMIN) {
  const simulator = yield* simulate({ key: KEY, adminKey: ADMIN, pictureSeconds: 0.05 })
  const env = { FAL_KEY: KEY, FAL_BASE_URL: simulator.url, ...(adminKey === "" ? {} : { FAL_ADMIN_KEY: adminKey }) }
  const context = yield* Layer.build(
    Layer.mergeAll(Provider.generator, Provider.payloads).pipe(
      Layer.provideMerge(MetricsMemory.layer),
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env)))
    )
  )
  const { endpoints, inputOf } = Context.get(context, Catalogue)
  const { result, submit } = Context.get(context, Generator)
  const endpoint = endpoints.Generate
  const buy = submit({ endpoint, input: inputOf({ _tag: "Generate", prompt: "a coat", seed: 7, size: PORTRAIT }, endpoint) })
  const bought = Effect.gen(function* () {
    const ticket = yield* buy
    const picture = yield* eventually("made", Effect.option(result(ticket)), (found) => found._tag === "Some")
    return { ticket, url: picture._tag === "Some" ? picture.value.url : "" }
  })
  return { payloads: Context.get(context, Payloads), bought, result, simulator }
})

describe("what fal keeps of a request", () => {
  it.live("is gone when an administrator has deleted it: its result and its picture, not its charge and not another's", () =>
    Effect.gen(function* () {
      const { bought, payloads, result, simulator } = yield* make()
      const [one, other] = [yield* bought, yield* bought]
      const status = ({ url }: { readonly url: string }) => Effect.promise(async () => (await fetch(url)).status)
      assert.strictEqual(yield* status(one), 200)
      assert.isTrue(payloads.isDeletable)
      assert.deepStrictEqual(yield* payloads.remove(one.ticket.requestId), { _tag: "deleted", left: [] })
      assert.deepStrictEqual([yield* status(one), yield* status(other)], [404, 200])
      assert.strictEqual((yield* Effect.flip(result(one.ticket))).reason._tag, "Unknown")
      yield* result(other.ticket)
      assert.strictEqual(
        (yield* simulator.ledger).reduce((sum, { units }) => sum + units, 0),
        2
      )
      assert.deepStrictEqual(yield* payloads.remove(one.ticket.requestId), { _tag: "not known" })
      assert.deepStrictEqual(yield* payloads.remove("nobody's/../request"), { _tag: "not known" })
    })
  )

  it.live("may not all be deleted: each file that stays is named with the reason", () =>
    Effect.gen(function* () {
      const { bought, payloads, simulator } = yield* make()
      yield* simulator.setFaults({ route: "submit", kind: "job-lost-media" })
      const { ticket, url } = yield* bought
      const deletion = yield* payloads.remove(ticket.requestId)
      assert.deepStrictEqual(deletion, { _tag: "deleted", left: [{ address: url, why: "File not available" }] })
    })
  )

  it.live("is left alone by any other key, and by an answer that says nothing", () =>
    Effect.gen(function* () {
      const other = yield* make(KEY)
      assert.include((yield* Effect.flip(other.payloads.remove("any"))).message, "fal answered 401")
      const none = yield* make("")
      assert.isFalse(none.payloads.isDeletable)
      assert.strictEqual((yield* Effect.flip(none.payloads.remove("any"))).message, "FAL_ADMIN_KEY is not set")
      const { bought, payloads, simulator } = yield* make()
      const { ticket } = yield* bought
      for (const [kind, said] of [
        ["html", "fal answered 200"],
        ["error", "fal answered 500"],
        ["reset", "answer lost"],
        ["huge", "fal answered too much"]
      ] as const) {
        yield* simulator.setFaults({ route: "platform", kind })
        assert.include((yield* Effect.flip(payloads.remove(ticket.requestId))).message, said, kind)
      }
    })
  )
})
