import { assert, layer as withLayer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { randomUUID } from "node:crypto"
import { Audit } from "../../src/services/Audit.ts"
import type { Ledger } from "../../src/services/Ledger.ts"
import { ModelLibrary, type NewModel } from "../../src/services/ModelLibrary.ts"
import { anything, type NewDecision, type Reviewed, Reviews, type Verdict } from "../../src/services/Reviews.ts"
import { aRow } from "./ledger.ts"
import { aModel } from "./modelLibrary.ts"

const decision = (modelId: string, verdict: Verdict, over: Partial<NewDecision> = {}): NewDecision => ({
  id: randomUUID(),
  modelId,
  verdict,
  reason: null,
  who: "anna",
  seen: null,
  ...over
})

let templates = 0
/** A template that no other test has, with so many pictures, the oldest first. */
const pictures = Effect.fnUntraced(function* (count: number, over: Partial<NewModel> = {}) {
  const { save } = yield* ModelLibrary
  const templateId = over.templateId ?? `review-${process.pid}-${++templates}`
  const made = yield* Effect.forEach(Array.from({ length: count }), () => save(aModel({ ...over, templateId, version: null })))
  return { templateId, ids: made.map(({ id }) => id), made }
})

/** What every store of reviews promises, with the library that they are of. The layer is built once. */
export const reviewsContract = <E>(name: string, all: Layer.Layer<Reviews | Audit | ModelLibrary | Ledger, E>) =>
  withLayer(all, { excludeTestServices: true, timeout: "30 seconds" })(`${name} keeps the reviews' promises`, (it) => {
    it.effect("the last decision of a picture holds, and all of them are kept", () =>
      Effect.gen(function* () {
        const { decide, list, ofModel } = yield* Reviews
        const { ids, templateId } = yield* pictures(1)
        const [id = ""] = ids
        const holds = Effect.map(list({ ...anything, templateId }, null, 10), ([row]) => row?.decision ?? null)
        assert.isNull(yield* holds)
        const first = yield* decide(decision(id, "rejected", { reason: "hands ✋" }))
        assert.deepInclude(first, { modelId: id, verdict: "rejected", reason: "hands ✋", who: "anna" })
        assert.isAbove(first.at, 1.6e12)
        const second = yield* decide(decision(id, "undecided", { seen: first.id, who: "ben" }))
        const third = yield* decide(decision(id, "approved", { seen: second.id }))
        assert.deepStrictEqual(yield* holds, third)
        assert.deepStrictEqual(yield* ofModel(id), [third, second, first])
        assert.deepStrictEqual(yield* ofModel(randomUUID()), [])
        assert.deepStrictEqual(yield* ofModel("nothing"), [])
      })
    )

    it.effect("the same decision sent again is the same row", () =>
      Effect.gen(function* () {
        const { decide, ofModel } = yield* Reviews
        const { ids } = yield* pictures(1)
        const mine = decision(ids[0]!, "approved")
        const first = yield* decide(mine)
        const again = yield* Effect.all([decide(mine), decide({ ...mine, verdict: "rejected" }), decide(mine)], {
          concurrency: 3
        })
        assert.deepStrictEqual(again, [first, first, first])
        assert.lengthOf(yield* ofModel(ids[0]!), 1)
      })
    )

    it.effect("what was paid for in a period can be divided by the pictures of it that are approved now", () =>
      Effect.gen(function* () {
        const { approved, decide } = yield* Reviews
        const { save } = yield* ModelLibrary
        // A time that no other test has.
        const at = 1_000_000_000_000 + process.pid * 1000
        const paidAt = (at: number) => {
          const requestId = `approved-${randomUUID()}`
          return save(aModel({ templateId: `approved-${requestId}`, version: null, falRequestId: requestId }), [
            aRow({ requestId, taskId: requestId, at })
          ])
        }
        const [one, two, before] = [yield* paidAt(at), yield* paidAt(at), yield* paidAt(at - 1)]
        const period = { since: at, until: at + 1 }
        assert.strictEqual(yield* approved(period), 0)
        const first = yield* decide(decision(one.id, "approved"))
        yield* decide(decision(two.id, "rejected"))
        yield* decide(decision(before.id, "approved"))
        assert.strictEqual(yield* approved(period), 1)
        yield* decide(decision(one.id, "undecided", { seen: first.id }))
        assert.strictEqual(yield* approved(period), 0)
      })
    )

    it.effect("whoever follows the library sees by one text that a picture was added or decided on", () =>
      Effect.gen(function* () {
        const { decide, state } = yield* Reviews
        const texts = [yield* state, yield* state]
        const { ids } = yield* pictures(1)
        texts.push(yield* state)
        yield* decide(decision(ids[0]!, "approved"))
        texts.push(yield* state)
        assert.strictEqual(texts[0], texts[1])
        assert.lengthOf(new Set(texts), 3)
      })
    )

    it.effect("of two who decide on what they both saw, one is told what the other has decided", () =>
      Effect.gen(function* () {
        const { decide, ofModel } = yield* Reviews
        const { ids } = yield* pictures(1)
        const both = yield* Effect.forEach(
          [decision(ids[0]!, "approved"), decision(ids[0]!, "rejected", { who: "ben" })],
          (one) => Effect.catchTag(decide(one), "Overtaken", Effect.succeed),
          { concurrency: 2 }
        )
        const [written] = yield* ofModel(ids[0]!)
        assert.lengthOf(yield* ofModel(ids[0]!), 1)
        assert.deepStrictEqual(
          both.map((one) => ("_tag" in one ? one.last : one)),
          [written!, written!]
        )
        assert.lengthOf(
          both.filter((one) => "_tag" in one),
          1
        )
      })
    )

    it.effect("a listing is in pages that neither miss a row nor show one twice, also while rows come and go", () =>
      Effect.gen(function* () {
        const { list } = yield* Reviews
        const { remove } = yield* ModelLibrary
        const { ids, templateId } = yield* pictures(7)
        const seen: Array<string> = []
        let after: string | null = null
        for (;;) {
          const page: ReadonlyArray<Reviewed> = yield* list({ ...anything, templateId }, after, 2)
          if (page.length === 0) break
          seen.push(...page.map(({ id }) => id))
          after = page.at(-1)!.cursor
          yield* pictures(1, { templateId }) // a newer one, which belongs before the first page
          if (seen.length === 2) yield* remove(seen[0]!)
        }
        assert.deepStrictEqual(seen, ids.toReversed())
        assert.deepStrictEqual(yield* list(anything, "nothing", 10), [])
      })
    )

    it.effect("a listing is narrowed by verdict, model and words", () =>
      Effect.gen(function* () {
        const { decide, list } = yield* Reviews
        const { save } = yield* ModelLibrary
        const { ids, templateId } = yield* pictures(4, { prompt: "Fashion MODEL, 100% wool_coat <b>" })
        const [a = "", b = "", c = "", d = ""] = ids
        yield* decide(decision(a, "approved"))
        yield* decide(decision(b, "rejected"))
        const taken = yield* decide(decision(c, "approved"))
        yield* decide(decision(c, "undecided", { seen: taken.id }))
        const which = { ...anything, templateId }
        const found = (over: Partial<typeof anything>) =>
          Effect.map(list({ ...which, ...over }, null, 10), (rows) => rows.map(({ id }) => id))
        assert.deepStrictEqual(yield* found({ verdict: "approved" }), [a])
        assert.deepStrictEqual(yield* found({ verdict: "rejected" }), [b])
        assert.deepStrictEqual(yield* found({ verdict: "undecided" }), [d, c])
        assert.lengthOf(yield* found({ text: "WOOL_coat  fashion" }), 4)
        assert.lengthOf(yield* found({ text: "100%" }), 4)
        for (const text of ["woolxcoat", "1%0", "<i>"]) assert.lengthOf(yield* found({ text }), 0)
        const bought = aModel({ templateId, version: null })
        const { id } = yield* save(bought, [aRow({ requestId: bought.falRequestId, model: "fal-ai/other" })])
        assert.deepStrictEqual(yield* found({ model: "fal-ai/other" }), [id])
      })
    )

    it.effect("templates are counted by the decisions that hold", () =>
      Effect.gen(function* () {
        const { decide, tally } = yield* Reviews
        const { ids, templateId } = yield* pictures(3)
        const first = yield* decide(decision(ids[0]!, "rejected"))
        yield* decide(decision(ids[0]!, "approved", { seen: first.id }))
        yield* decide(decision(ids[1]!, "rejected"))
        assert.deepStrictEqual(yield* tally([templateId, "no-such-template"]), [
          { templateId, approved: 1, rejected: 1, undecided: 1 }
        ])
        assert.deepStrictEqual(yield* tally([]), [])
      })
    )

    it.effect("a decision that names no picture is refused", () =>
      Effect.gen(function* () {
        const { decide } = yield* Reviews
        const error = yield* Effect.flip(decide(decision("'; DROP TABLE model_review", "approved")))
        assert.strictEqual(error._tag, "LibraryError")
      })
    )

    it.effect("what a person does is audited, the newest first, and a decision is one of these deeds", () =>
      Effect.gen(function* () {
        const audit = yield* Audit
        const { decide } = yield* Reviews
        const { ids } = yield* pictures(1)
        yield* audit.record({ who: "anna", action: "signed in", subject: "", detail: { from: "10.0.0.1\0" } })
        yield* decide(decision(ids[0]!, "rejected", { reason: "hands" }))
        const [last, before] = yield* audit.list(null, 2)
        assert.deepInclude(last, { who: "anna", action: "rejected", subject: ids[0]!, detail: { reason: "hands" } })
        assert.deepInclude(before, { who: "anna", action: "signed in", subject: "" })
        assert.deepStrictEqual(yield* audit.list(last!.seq, 1), [before!])
      })
    )
  })
