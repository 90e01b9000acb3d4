import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Option } from "effect"
import { type Generation, Generation as GenerationSchema, type Intended, Journal, PRESENT } from "../../src/services/Journal.ts"
import { uniqueId } from "../support.ts"

const about = {
  endpoint: "fal-ai/flux/dev",
  input: { prompt: "ё", seed: 7, nested: { b: 1, a: [null, 1.5] } },
  at: 1_700_000_000_123,
  resubmits: 0
}
export const intended: typeof Intended.Type = { _tag: "Intended", ...about }
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
export const journalContract = (name: string, layerWith: (env: Readonly<Record<string, string>>) => Layer.Layer<Journal>) => {
  const keepsWith =
    (env: Readonly<Record<string, string>>) =>
    <A, E>(test: (journal: Journal["Service"]) => Effect.Effect<A, E>) =>
      Effect.flatMap(Journal, test).pipe(Effect.provide(layerWith(env)))
  const keeps = keepsWith({})
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
          yield* journal.advance(two, none(), some(submitted))
          yield* journal.close(two)
          assert.deepStrictEqual(yield* more, [0, 0, 1], "one that has ended without a picture does not count")
          assert.isTrue(yield* journal.advance(two, some(submitted), some(submitted)))
          assert.deepStrictEqual(yield* more, [0, 1, 1], "until it is taken up again")
        })
      )
    )

    it.live("a request is in flight from the intent until there is a picture, or it has ended without one", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const [one, two] = [uniqueId(), uniqueId()]
          assert.strictEqual(yield* journal.intend(one, none(), intended), "written")
          assert.deepStrictEqual(yield* journal.find(one), some(intended))
          assert.strictEqual(yield* journal.intend(two, none(), intended), "written")
          assert.strictEqual(yield* journal.inFlight, 2)
          yield* journal.advance(one, some(intended), some(submitted))
          assert.strictEqual(yield* journal.inFlight, 2)
          yield* journal.advance(one, some(submitted), some(generated))
          assert.strictEqual(yield* journal.inFlight, 1)
          yield* journal.advance(two, some(intended), some(submitted))
          yield* journal.close(two)
          assert.strictEqual(yield* journal.inFlight, 0)
          assert.deepStrictEqual(yield* journal.find(two), some(submitted)) // still not to be bought again
          assert.isTrue(yield* journal.advance(two, some(submitted), some(submitted))) // taken up again
          assert.strictEqual(yield* journal.inFlight, 1)
          yield* journal.advance(two, some(submitted), none())
          assert.strictEqual(yield* journal.inFlight, 0)
        })
      )
    )

    const two = keepsWith({ FAL_MAX_CONCURRENT: "2" })
    it.live("no more intents than there may be in flight; one that was slower is told so, and changes nothing", () =>
      two(
        Effect.fnUntraced(function* (journal) {
          const ids = Array.from({ length: 20 }, () => uniqueId())
          const answers = yield* Effect.forEach(ids, (id) => journal.intend(id, none(), intended), { concurrency: "unbounded" })
          assert.deepStrictEqual([...answers].toSorted(), [...Array(18).fill("full"), "written", "written"])
          const inside = ids[answers.indexOf("written")]!
          assert.strictEqual(yield* journal.intend(inside, none(), intended), "contended")
          // A submit that is made again has its room already.
          assert.strictEqual(yield* journal.intend(inside, some(intended), { ...intended, resubmits: 1 }), "written")
          assert.strictEqual(yield* journal.inFlight, 2)
          const outside = ids[answers.indexOf("full")]!
          assert.deepStrictEqual(yield* journal.find(outside), none())
        })
      )
    )

    it.live("room goes to who asked first, as long as it goes on asking", () =>
      two(
        Effect.fnUntraced(function* (journal) {
          const [a, b, first, second, third] = Array.from({ length: 5 }, () => uniqueId()) as [
            string,
            string,
            string,
            string,
            string
          ]
          const ask = (id: string) => journal.intend(id, none(), intended)
          yield* Effect.forEach([a, b], ask)
          assert.deepStrictEqual(yield* Effect.forEach([first, second, third], ask), ["full", "full", "full"])
          yield* journal.advance(a, some(intended), none())
          assert.deepStrictEqual(yield* Effect.forEach([third, second, first], ask), ["full", "full", "written"])
          // One that does not ask any more holds up nobody, and has not lost its place when it comes back.
          yield* Effect.sleep(PRESENT * 1000 + 100)
          yield* journal.advance(b, some(intended), none())
          assert.strictEqual(yield* ask(third), "written")
          yield* journal.advance(third, some(intended), none())
          assert.deepStrictEqual(yield* Effect.forEach([second], ask), ["written"])
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
