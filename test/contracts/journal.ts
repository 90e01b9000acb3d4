import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import {
  type Generation,
  Generation as GenerationSchema,
  type Intended,
  Journal,
  PRESENT,
  type Submitted
} from "../../src/services/Journal.ts"
import { aRow } from "./ledger.ts"
import { uniqueId } from "../support.ts"

const about = {
  endpoint: "fal-ai/flux/dev",
  input: { prompt: "ё", seed: 7, nested: { b: 1, a: [null, 1.5] } },
  at: 1_700_000_000_123,
  attempt: 0.123_456_789_012_345_6,
  digest: "digest of its arguments",
  resubmits: 0
}
export const intended: typeof Intended.Type = { _tag: "Intended", ...about }
export const submitted: typeof Submitted.Type = { _tag: "Submitted", ...about, requestId: "r-1" }
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
/** The same once its bytes are stored. */
const stored: Generation = {
  ...generated,
  media: {
    name: `${"a1".repeat(32)}.jpg`,
    thumbnail: `${"b2".repeat(32)}.webp`,
    sha256: "a1".repeat(32),
    bytes: 123_456,
    contentType: "image/jpeg",
    width: 768,
    height: 1024,
    thumbhash: "1QcSHQRnh493V4dIh4eXh1h4kJUI",
    phash: "c3d4e5f601234567",
    sourceSha256: "0".repeat(64)
  }
}
/** The same task's next generation, after this one was lost. */
const again = { ...intended, attempt: 0.5, at: about.at + 60_000, resubmits: 1 }
/** A task of the same id with other arguments. */
const other = { ...intended, attempt: 0.75, at: about.at + 1000, digest: "another" }

type Journals = readonly [Journal["Service"], Journal["Service"]]

/** What every journal promises. `fleet` gives those of two workers over one store, in which nothing is written. */
export const journalContract = (
  name: string,
  fleet: (env: Readonly<Record<string, string>>) => Effect.Effect<Journals, never, Scope.Scope>
) => {
  const keepsWith =
    (env: Readonly<Record<string, string>>) =>
    <A, E>(test: (...journals: Journals) => Effect.Effect<A, E>) =>
      Effect.scoped(Effect.flatMap(fleet(env), (journals) => test(...journals)))
  const keeps = keepsWith({})
  const { none, some } = Option

  describe(name, () => {
    const entryOf = (journal: Journal["Service"], id: string) => Effect.map(journal.find(id), ({ entry }) => entry)

    it.live("a generation is followed from intent to picture, and out", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          assert.deepStrictEqual(yield* entryOf(journal, id), none())
          assert.strictEqual(yield* journal.intend(id, intended, none()), "written")
          assert.deepStrictEqual(yield* entryOf(journal, id), some(intended))
          for (const next of [submitted, generated]) {
            assert.strictEqual(yield* journal.advance(id, next), "written")
            assert.deepStrictEqual(yield* entryOf(journal, id), some(next))
          }
          yield* journal.withdraw(id, generated, none())
          assert.deepStrictEqual(yield* entryOf(journal, id), none())
        })
      )
    )

    it.live("what it has forgotten is written again by who knows it, whatever state that is in", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          for (const known of [submitted, generated]) {
            const id = uniqueId()
            assert.strictEqual(yield* journal.advance(id, known), "written")
            assert.deepStrictEqual(yield* entryOf(journal, id), some(known))
          }
          const id = uniqueId()
          assert.strictEqual(yield* journal.intend(id, again, some(intended)), "written")
          assert.deepStrictEqual(yield* entryOf(journal, id), some(again))
        })
      )
    )

    it.live("what is known of a generation only grows", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          yield* journal.advance(id, submitted)
          assert.strictEqual(yield* journal.advance(id, intended), "known")
          assert.strictEqual(yield* journal.advance(id, submitted), "written", "taken up again")
          yield* journal.withdraw(id, intended, none())
          assert.deepStrictEqual(yield* entryOf(journal, id), some(submitted))
          yield* journal.advance(id, generated)
          for (const less of [intended, submitted, { ...generated, tookMs: 3000 }])
            assert.strictEqual(yield* journal.advance(id, less), "known")
          yield* journal.withdraw(id, submitted, none())
          assert.deepStrictEqual(yield* entryOf(journal, id), some(generated))
        })
      )
    )

    it.live("that a picture is stored is written once, and never forgotten for one that is only paid", () =>
      keeps(
        Effect.fnUntraced(function* (one, two) {
          const id = uniqueId()
          yield* one.advance(id, generated)
          const before = yield* one.counts
          assert.strictEqual(yield* two.advance(id, stored), "written")
          assert.deepStrictEqual(yield* entryOf(one, id), some(stored))
          for (const less of [submitted, generated, { ...stored, tookMs: 1 }])
            for (const journal of [one, two]) assert.strictEqual(yield* journal.advance(id, less), "known")
          assert.deepStrictEqual(yield* entryOf(two, id), some(stored))
          assert.deepStrictEqual(yield* one.counts, before)
          yield* one.withdraw(id, generated, none())
          assert.deepStrictEqual(yield* entryOf(one, id), some(stored))
        })
      )
    )

    it.live("of two generations of a task the one that was made again stays, or the one whose request is known", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          yield* journal.advance(id, submitted)
          assert.strictEqual(yield* journal.advance(id, { ...submitted, attempt: 0.4, requestId: "r-2" }), "superseded")
          assert.strictEqual(yield* journal.intend(id, again, none()), "contended")
          assert.strictEqual(yield* journal.intend(id, again, some(submitted)), "written")
          assert.strictEqual(yield* journal.advance(id, generated), "superseded")
          yield* journal.withdraw(id, submitted, none())
          assert.deepStrictEqual(yield* entryOf(journal, id), some(again))
          // A server that went back to an older state does not make it forget what a worker still knows.
          yield* journal.withdraw(id, again, some(intended))
          assert.strictEqual(yield* journal.advance(id, { ...submitted, ...again, _tag: "Submitted" }), "written")
          const unlucky = uniqueId()
          yield* journal.intend(unlucky, { ...intended, attempt: 0.4 }, none())
          assert.strictEqual(yield* journal.advance(unlucky, submitted), "written")
        })
      )
    )

    it.live("a generation that a repeated one would replace, and that has got further meanwhile, stays", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          yield* journal.intend(id, intended, none())
          yield* journal.advance(id, submitted)
          assert.strictEqual(yield* journal.intend(id, again, some(intended)), "contended")
          assert.deepStrictEqual(yield* entryOf(journal, id), some(submitted))
        })
      )
    )

    it.live("an intent whose answer was lost may be written once more, and taken back", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          yield* journal.intend(id, intended, none())
          assert.strictEqual(yield* journal.intend(id, intended, none()), "written")
          assert.strictEqual(yield* journal.intend(id, again, some(intended)), "written")
          yield* journal.withdraw(id, again, some(intended))
          assert.deepStrictEqual(yield* entryOf(journal, id), some(intended))
          assert.strictEqual(yield* journal.inFlight, 1)
          yield* journal.withdraw(id, intended, none())
          yield* journal.withdraw(id, intended, none())
          assert.deepStrictEqual(yield* entryOf(journal, id), none())
          assert.strictEqual(yield* journal.inFlight, 0)
        })
      )
    )

    it.live(
      "another task under the same id waits until the first one's request has ended, then gets a generation of its own",
      () =>
        keeps(
          Effect.fnUntraced(function* (journal) {
            const id = uniqueId()
            yield* journal.intend(id, intended, none())
            assert.strictEqual(yield* journal.intend(id, other, none()), "contended")
            yield* journal.advance(id, generated)
            assert.strictEqual(yield* journal.intend(id, other, none()), "written")
            assert.deepStrictEqual(yield* entryOf(journal, id), some(other))
            assert.strictEqual(yield* journal.advance(id, { ...submitted, resubmits: 1 }), "taken")
            yield* journal.withdraw(id, submitted, none())
            assert.deepStrictEqual(yield* entryOf(journal, id), some(other))
            // One that ended without a picture, too.
            yield* journal.close(id)
            const third = { ...intended, attempt: 0.9, at: other.at + 1000, digest: "a third" }
            assert.strictEqual(yield* journal.intend(id, third, none()), "written")
          })
        )
    )

    it.live("an entry of an older worker, without attempt and digest, is the same task's, and is gone on from", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          const { attempt: _, digest: __, ...old } = submitted
          yield* journal.advance(id, old)
          assert.strictEqual(yield* journal.intend(id, { ...intended, attempt: 0.4 }, none()), "contended")
          const { attempt: ___, digest: ____, ...oldPicture } = generated
          assert.strictEqual(yield* journal.advance(id, oldPicture), "written")
          assert.deepStrictEqual(yield* entryOf(journal, id), some(oldPicture))
        })
      )
    )

    it.live("what a worker has written counts only while nobody else has written since", () =>
      keeps(
        Effect.fnUntraced(function* (one, two) {
          const id = uniqueId()
          yield* one.intend(id, intended, none())
          yield* one.advance(id, submitted)
          assert.strictEqual(yield* two.intend(id, again, some(submitted)), "written")
          assert.strictEqual(yield* one.advance(id, generated), "superseded")
          yield* one.withdraw(id, submitted, none())
          assert.deepStrictEqual(yield* entryOf(two, id), some(again))
          // Nor does what it has read forbid anything for longer than it is there.
          assert.deepStrictEqual(yield* entryOf(one, id), some(again))
          yield* two.withdraw(id, again, none())
          assert.strictEqual(yield* one.advance(id, submitted), "written")
          assert.deepStrictEqual(yield* entryOf(two, id), some(submitted))
        })
      )
    )

    it.live("of many that intend at once, one may submit", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const id = uniqueId()
          const answers = yield* Effect.forEach(
            Array.from({ length: 20 }, (_, n) => n),
            (n) => journal.intend(id, { ...intended, attempt: n }, none()),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual<ReadonlyArray<unknown>>([...answers].toSorted(), [
            ...Array<string>(19).fill("contended"),
            "written"
          ])
        })
      )
    )

    it.live("all who use it are told the time of one clock", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const [first, second] = [yield* journal.find(uniqueId()), yield* journal.find(uniqueId())]
          assert.closeTo(first.now, Date.now(), 10_000)
          assert.isAtLeast(second.now, first.now)
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
          yield* journal.intend(one, intended, none())
          yield* journal.intend(two, intended, none())
          assert.deepStrictEqual(yield* more, [2, 0, 0])
          yield* journal.advance(one, submitted)
          assert.deepStrictEqual(yield* more, [1, 1, 0])
          yield* journal.advance(one, generated)
          yield* journal.withdraw(two, intended, none())
          assert.deepStrictEqual(yield* more, [0, 0, 1])
          yield* journal.advance(two, submitted)
          yield* journal.close(two)
          assert.deepStrictEqual(yield* more, [0, 0, 1], "one that has ended without a picture does not count")
          assert.strictEqual(yield* journal.advance(two, submitted), "written")
          assert.deepStrictEqual(yield* more, [0, 1, 1], "until it is taken up again")
        })
      )
    )

    it.live("a request is in flight from the intent until there is a picture, or it has ended without one", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const [one, two] = [uniqueId(), uniqueId()]
          yield* journal.intend(one, intended, none())
          yield* journal.intend(two, intended, none())
          assert.strictEqual(yield* journal.inFlight, 2)
          yield* journal.advance(one, submitted)
          assert.strictEqual(yield* journal.inFlight, 2)
          yield* journal.advance(one, generated)
          assert.strictEqual(yield* journal.inFlight, 1)
          yield* journal.advance(two, submitted)
          yield* journal.close(two)
          assert.strictEqual(yield* journal.inFlight, 0)
          assert.deepStrictEqual(yield* entryOf(journal, two), some(submitted)) // still not to be bought again
          yield* journal.advance(two, submitted) // taken up again
          assert.strictEqual(yield* journal.inFlight, 1)
          yield* journal.withdraw(two, submitted, none())
          assert.strictEqual(yield* journal.inFlight, 0)
        })
      )
    )

    const two = keepsWith({ FAL_MAX_CONCURRENT: "2" })
    it.live("no more intents than there may be in flight; one that was slower is told so, and changes nothing", () =>
      two(
        Effect.fnUntraced(function* (journal) {
          const ids = Array.from({ length: 20 }, () => uniqueId())
          const answers = yield* Effect.forEach(ids, (id) => journal.intend(id, intended, none()), { concurrency: "unbounded" })
          assert.deepStrictEqual([...answers].toSorted(), [...Array(18).fill("full"), "written", "written"])
          const inside = ids[answers.indexOf("written")]!
          assert.strictEqual(yield* journal.intend(inside, { ...intended, attempt: 0.4 }, none()), "contended")
          // A submit that is made again has its room already.
          assert.strictEqual(yield* journal.intend(inside, again, some(intended)), "written")
          assert.strictEqual(yield* journal.inFlight, 2)
          const outside = ids[answers.indexOf("full")]!
          assert.deepStrictEqual(yield* entryOf(journal, outside), none())
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
          const ask = (id: string) => journal.intend(id, intended, none())
          yield* Effect.forEach([a, b], ask)
          assert.deepStrictEqual(yield* Effect.forEach([first, second, third], ask), ["full", "full", "full"])
          yield* journal.withdraw(a, intended, none())
          assert.deepStrictEqual(yield* Effect.forEach([third, second, first], ask), ["full", "full", "written"])
          // One that does not ask any more holds up nobody, and has not lost its place when it comes back.
          yield* Effect.sleep(PRESENT * 1000 + 100)
          yield* journal.withdraw(b, intended, none())
          assert.strictEqual(yield* ask(third), "written")
          yield* journal.withdraw(third, intended, none())
          assert.deepStrictEqual(yield* Effect.forEach([second], ask), ["written"])
        })
      )
    )

    it.live("a debt is kept until it is settled, whatever becomes of its task's entry, and left alone at first", () =>
      keeps(
        Effect.fnUntraced(function* (one, other) {
          const [taskId, row] = [uniqueId(), aRow()]
          const debt = {
            taskId,
            rootId: "root",
            caller: "gen@app",
            digest: "digest",
            timeLimit: 300,
            generation: null,
            rows: [row]
          }
          const unknown = { ...debt, generation: submitted, rows: null }
          const before = yield* one.owing
          const name = yield* one.owe(debt)
          assert.strictEqual(yield* other.owe(debt), name)
          const second = yield* other.owe(unknown)
          assert.strictEqual(yield* other.owing, before + 2)
          assert.notInclude(
            (yield* other.owed).map((owed) => owed.name),
            name
          )
          for (const settled of [name, second]) yield* other.settled(settled)
          assert.strictEqual(yield* one.owing, before)
        })
      )
    )

    it.live("tasks do not meet", () =>
      keeps(
        Effect.fnUntraced(function* (journal) {
          const [one, two] = [uniqueId(), uniqueId()]
          yield* journal.intend(one, intended, none())
          yield* journal.advance(two, submitted)
          assert.deepStrictEqual(yield* entryOf(journal, one), some(intended))
        })
      )
    )

    it.live.prop(
      "what one worker writes another finds",
      { entry: GenerationSchema },
      ({ entry }) =>
        keeps(
          Effect.fnUntraced(function* (journal) {
            const id = uniqueId()
            const json = JSON.parse(JSON.stringify(entry)) as Generation // JSON has no -0
            assert.strictEqual(yield* journal.advance(id, json), "written")
            assert.deepStrictEqual(yield* entryOf(journal, id), some(json))
          })
        ),
      { arbitrary: { runs: 25 } }
    )
  })
}
