import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Option } from "effect"
import { type Generation, Generation as GenerationSchema, Journal } from "../../src/services/Journal.ts"
import { uniqueId } from "../support.ts"

const about = {
  endpoint: "fal-ai/flux/dev",
  input: { prompt: "ё", seed: 7, nested: { b: 1, a: [null, 1.5] } },
  at: 1_700_000_000_123,
  resubmits: 0
}
export const intended: Generation = { _tag: "Intended", ...about }
export const submitted: Generation = { _tag: "Submitted", ...about, requestId: "r-1" }
export const generated: Generation = {
  _tag: "Generated",
  ...about,
  requestId: "r-1",
  picture: {
    url: "https://fal.example/1.jpg",
    width: 768,
    height: 1024,
    contentType: "image/jpeg",
    seed: 7,
    flagged: false,
    billableUnits: 0.79
  },
  tookMs: 2000
}

/** What every journal promises. The layer is built once for each test. */
export const journalContract = (name: string, layer: Layer.Layer<Journal>) => {
  const keeps = <A, E>(test: (journal: Journal["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap(Journal, test).pipe(Effect.provide(layer))
  const { none, some } = Option

  describe(name, () => {
    it.live("a generation is followed from intent to picture, and out", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          assert.deepStrictEqual(yield* journal.find(id), none())
          let before: Option.Option<Generation> = none()
          for (const next of [some(intended), some(submitted), some(generated), none<Generation>()]) {
            assert.isTrue(yield* journal.advance(id, before, next))
            assert.deepStrictEqual(yield* journal.find(id), next)
            before = next
          }
        })
      )
    )

    it.live("nothing is changed by a hand that was slower, and it is told", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          yield* journal.advance(id, none(), some(submitted))
          for (const believed of [none(), some(intended), some({ ...submitted, at: submitted.at + 1 }), some(generated)]) {
            assert.isFalse(yield* journal.advance(id, believed, some({ ...intended, resubmits: 1 })))
            assert.isFalse(yield* journal.advance(id, believed, none()))
          }
          assert.deepStrictEqual(yield* journal.find(id), some(submitted))
        })
      )
    )

    it.live("of many that intend at once, one may submit", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          const won = yield* Effect.forEach(
            Array.from({ length: 20 }, (_, n) => n),
            (n) => journal.advance(id, none(), some({ ...intended, at: n })),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(won.filter((one) => one).length, 1)
        })
      )
    )

    it.live("it is known how many stand in each state", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const before = yield* journal.counts
          const more = Effect.map(journal.counts, (now) => [
            now.Intended - before.Intended,
            now.Submitted - before.Submitted,
            now.Generated - before.Generated
          ])
          const [one, two] = [uniqueId(), uniqueId()]
          yield* journal.advance(one, none(), some(intended))
          yield* journal.advance(two, none(), some(intended))
          assert.deepStrictEqual(yield* more, [2, 0, 0])
          yield* journal.advance(one, some(intended), some(submitted))
          yield* journal.advance(two, some(submitted), some(generated)) // slower than another hand
          assert.deepStrictEqual(yield* more, [1, 1, 0])
          yield* journal.advance(one, some(submitted), some(generated))
          yield* journal.advance(two, some(intended), none())
          assert.deepStrictEqual(yield* more, [0, 0, 1])
        })
      )
    )

    it.live("tasks do not meet", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const [one, two] = [uniqueId(), uniqueId()]
          yield* journal.advance(one, none(), some(intended))
          assert.isTrue(yield* journal.advance(two, none(), some(submitted)))
          assert.deepStrictEqual(yield* journal.find(one), some(intended))
        })
      )
    )

    it.live.prop(
      "what one worker finds, it can go on from",
      { first: GenerationSchema, next: GenerationSchema },
      ({ first, next }) =>
        keeps(
          Effect.fnUntraced(function* (journal) {
            const id = uniqueId()
            const json = (entry: Generation) => JSON.parse(JSON.stringify(entry)) as Generation // JSON has no -0
            assert.isTrue(yield* journal.advance(id, none(), some(json(first))))
            const found = yield* journal.find(id)
            assert.deepStrictEqual(found, some(json(first)))
            assert.isTrue(yield* journal.advance(id, found, some(json(next))))
            assert.deepStrictEqual(yield* journal.find(id), some(json(next)))
          })
        ),
      { arbitrary: { runs: 25 } }
    )
  })
}
