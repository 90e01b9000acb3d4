import { assert, layer as withLayer } from "@effect/vitest"
import { Effect, Exit, type Layer, Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { everything, ModelLibrary, type NewModel, sample, type Selection } from "../../src/services/ModelLibrary.ts"

/** A model of a template nobody else uses, so that tests on one database do not meet. */
export const aModel = (over: Partial<NewModel> = {}): NewModel => ({
  templateId: `template-${randomUUID()}`,
  version: null,
  imageUrl: "https://fal.example/picture.png",
  thumbnailUrl: null,
  gender: "female",
  ageRange: "25-35",
  bodyType: "average",
  pose: "front standing",
  style: "professional",
  prompt: "Fashion model",
  metadata: { seed: 7, tags: ["a", { b: null }] },
  falRequestId: randomUUID(),
  processingTimeMs: 1234,
  ...over
})

const together = <A, E, R>(count: number, make: (n: number) => Effect.Effect<A, E, R>) =>
  Effect.all(
    Array.from({ length: count }, (_, n) => make(n)),
    { concurrency: "unbounded" }
  )
const ascending = (a: number, b: number) => a - b
const oneTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1)

/** What JSON and PostgreSQL both carry: no NUL, whole characters, and zero without a sign. */
const Text = Schema.String.check(
  Schema.makeFilter((text: string) => text.isWellFormed() && !text.includes("\0"), { expected: "text PostgreSQL can hold" })
)
const Metadata = Schema.Record(Text, Schema.Union([Text, Schema.Int, Schema.Null, Schema.Array(Text)]))

/** What every `ModelLibrary` promises. The layer is built once; `migrated` or not is its own affair. */
export const modelLibraryContract = <E>(name: string, library: Layer.Layer<ModelLibrary, E>) =>
  withLayer(library, { excludeTestServices: true, timeout: "30 seconds" })(`${name} keeps the library's promises`, (it) => {
    it.effect("what was saved is found by id, by version and as the newest", () =>
      Effect.gen(function* () {
        const { find, save } = yield* ModelLibrary
        const model = aModel()
        const saved = yield* save(model)
        assert.deepStrictEqual(saved, { ...model, id: saved.id, version: 1 })
        for (const which of [
          { id: saved.id },
          { id: saved.id.toUpperCase() },
          { templateId: model.templateId, version: 1 },
          { templateId: model.templateId, version: null },
          { falRequestId: model.falRequestId }
        ])
          assert.deepStrictEqual(yield* find(which), Option.some(saved))
      })
    )

    it.effect("rows whose picture is at fal's are counted by their age, and no others", () =>
      Effect.gen(function* () {
        const { atFalSince, save } = yield* ModelLibrary
        const [before, old] = [yield* atFalSince(-60), yield* atFalSince(3600)]
        for (const imageUrl of ["https://v3.fal.media/files/a/b.jpg", "https://FAL.media/c.png", "http://x.y.fal.run/d"])
          yield* save(aModel({ imageUrl }))
        for (const imageUrl of ["https://media.example/fal.media/a.jpg", "https://notfal.media/b.jpg", "file:///fal.media/", ""])
          yield* save(aModel({ imageUrl }))
        assert.strictEqual((yield* atFalSince(-60)) - before, 3)
        assert.strictEqual((yield* atFalSince(3600)) - old, 0)
      })
    )

    it.effect("what may be empty comes back empty", () =>
      Effect.gen(function* () {
        const { find, save } = yield* ModelLibrary
        const nothing = {
          thumbnailUrl: null,
          gender: null,
          ageRange: null,
          bodyType: null,
          pose: null,
          style: null,
          prompt: null,
          metadata: null,
          processingTimeMs: null
        }
        const saved = yield* save(aModel(nothing))
        assert.deepInclude(saved, nothing)
        assert.deepStrictEqual(yield* find({ id: saved.id }), Option.some(saved))
      })
    )

    it.effect("a template whose last version is the largest there can be goes on with the smallest that is free", () =>
      Effect.gen(function* () {
        const { save } = yield* ModelLibrary
        const { templateId } = aModel()
        const versions = []
        for (const version of [2, 2_147_483_647, null, null, 2_147_483_647])
          versions.push((yield* save(aModel({ templateId, version }))).version)
        assert.deepStrictEqual(versions, [2, 2_147_483_647, 1, 3, 4])
      })
    )

    it.effect("a rehearsal goes well as often as it is asked for, at once too, and leaves nothing", () =>
      Effect.gen(function* () {
        const { having, rehearse } = yield* ModelLibrary
        yield* together(5, () => rehearse)
        yield* rehearse
        assert.strictEqual((yield* having([sample("").templateId])).size, 0)
      })
    )

    it.effect("a request id longer than its column names its picture all the same", () =>
      Effect.gen(function* () {
        const { save } = yield* ModelLibrary
        const model = aModel({ falRequestId: `${randomUUID()}${"x".repeat(100)}` })
        const { id } = yield* save(model)
        assert.strictEqual((yield* save(model)).id, id)
      })
    )

    it.effect("nothing is found where nothing is, whatever is asked for", () =>
      Effect.gen(function* () {
        const { find, save } = yield* ModelLibrary
        const { templateId } = yield* save(aModel())
        for (const which of [
          { id: randomUUID() },
          { id: "no uuid" },
          { id: "' OR true --" },
          { templateId, version: 2 },
          { templateId: "no such template", version: null }
        ])
          assert.deepStrictEqual(yield* find(which), Option.none())
      })
    )

    it.effect("versions count up from 1, each template for itself, and the newest is the highest", () =>
      Effect.gen(function* () {
        const { find, save } = yield* ModelLibrary
        const { templateId } = yield* save(aModel())
        assert.strictEqual((yield* save(aModel({ templateId }))).version, 2)
        assert.strictEqual((yield* save(aModel())).version, 1)
        const newest = yield* save(aModel({ templateId, version: 10 }))
        const old = yield* save(aModel({ templateId, version: 4 }))
        assert.deepStrictEqual([newest.version, old.version], [10, 4])
        assert.deepStrictEqual(yield* find({ templateId, version: null }), Option.some(newest))
        assert.strictEqual((yield* save(aModel({ templateId }))).version, 11)
      })
    )

    it.effect("a version that is taken is left as it is, and the paid picture is kept under the next free one", () =>
      Effect.gen(function* () {
        const { find, save } = yield* ModelLibrary
        const first = yield* save(aModel({ version: 3 }))
        const second = yield* save(aModel({ templateId: first.templateId, version: 3 }))
        assert.strictEqual(second.version, 4)
        assert.deepStrictEqual(yield* find({ templateId: first.templateId, version: 3 }), Option.some(first))
      })
    )

    it.effect("no row twice: the same request to fal, saved again, is the row of the first time", () =>
      Effect.gen(function* () {
        const { find, save } = yield* ModelLibrary
        const model = aModel()
        const first = yield* save(model)
        assert.deepStrictEqual(yield* save({ ...model, version: 9, imageUrl: "https://fal.example/other.png" }), first)
        assert.deepStrictEqual(yield* find({ templateId: model.templateId, version: null }), Option.some(first))
      })
    )

    it.effect("no row twice, even when the same request is saved by many at once", () =>
      Effect.gen(function* () {
        const { find, save } = yield* ModelLibrary
        const model = aModel()
        const saved = yield* together(20, () => save(model))
        assert.deepStrictEqual(new Set(saved.map(({ id }) => id)).size, 1)
        assert.deepStrictEqual(yield* find({ templateId: model.templateId, version: 2 }), Option.none())
      })
    )

    it.effect("many savers of one template at once get the versions 1, 2, 3, ... without gap or failure", () =>
      Effect.gen(function* () {
        const { save } = yield* ModelLibrary
        const { templateId } = aModel()
        const saved = yield* together(20, () => save(aModel({ templateId })))
        assert.deepStrictEqual(saved.map(({ version }) => version).sort(ascending), oneTo(20))
      })
    )

    it.effect("of many who ask for the same version one gets it, and the others get free ones", () =>
      Effect.gen(function* () {
        const { save } = yield* ModelLibrary
        const { templateId } = aModel()
        const saved = yield* together(8, () => save(aModel({ templateId, version: 5 })))
        assert.deepStrictEqual(
          saved.map(({ version }) => version).sort(ascending),
          oneTo(8).map((n) => n + 4)
        )
      })
    )

    it.effect("an interrupted save leaves a whole row or none, and blocks nobody", () =>
      Effect.gen(function* () {
        const { find, save } = yield* ModelLibrary
        const { templateId } = aModel()
        const exits = yield* together(10, (n) => Effect.exit(Effect.timeout(save(aModel({ templateId })), n)))
        const last = yield* save(aModel({ templateId }))
        const done = exits.filter(Exit.isSuccess).map(({ value }) => value)
        for (const model of done) assert.deepStrictEqual(yield* find({ id: model.id }), Option.some(model))
        assert.isAtLeast(last.version, done.length + 1)
      })
    )

    it.effect("it is known which templates have a model", () =>
      Effect.gen(function* () {
        const { having, save } = yield* ModelLibrary
        const [one, two] = [yield* save(aModel()), yield* save(aModel())]
        yield* save(aModel({ templateId: one.templateId }))
        assert.deepStrictEqual(
          yield* having([two.templateId, "no such template", one.templateId]),
          new Set([one.templateId, two.templateId])
        )
        assert.deepStrictEqual(yield* having(["no such template"]), new Set())
        assert.deepStrictEqual(yield* having([]), new Set())
        assert.strictEqual((yield* having([...oneTo(1000).map(String), one.templateId])).size, 1)
      })
    )

    it.effect("its rows are listed by what is chosen of them, the newest first, a page at a time, and none twice", () =>
      Effect.gen(function* () {
        const { list, save } = yield* ModelLibrary
        const { templateId } = aModel()
        const made: Array<string> = []
        for (const style of ["casual", "editorial", "casual", "casual"])
          made.push((yield* save(aModel({ templateId, style }))).id)
        const which = { ...everything, templateId }
        const idsOf = (rows: ReadonlyArray<{ readonly id: string }>) => rows.map(({ id }) => id)
        assert.deepStrictEqual(idsOf(yield* list(which, null, 10)), made.toReversed())
        const first = yield* list(which, null, 3)
        const second = yield* list(which, first.at(-1)!.id, 3)
        assert.deepStrictEqual(idsOf([...first, ...second]), made.toReversed())
        assert.deepStrictEqual(idsOf(yield* list({ ...which, style: ["casual", "business"] }, null, 10)), [
          made[3],
          made[2],
          made[0]
        ])
        assert.deepStrictEqual(yield* list({ ...which, gender: ["nobody"] }, null, 10), [])
        assert.deepStrictEqual(yield* list(which, "no id", 10), [])
      })
    )

    it.effect("its rows are listed by their version, and by when they were saved", () =>
      Effect.gen(function* () {
        const { list, save } = yield* ModelLibrary
        const { templateId } = aModel()
        for (const version of [1, 2]) yield* save(aModel({ templateId, version }))
        const which = { ...everything, templateId }
        const versions = (more: Partial<Selection>) =>
          Effect.map(list({ ...which, ...more }, null, 10), (rows) => rows.map(({ version }) => version))
        assert.deepStrictEqual(yield* versions({ version: 1 }), [1])
        const [row] = yield* list({ ...which, version: 2 }, null, 1)
        const [second, later] = [Math.floor(row!.createdAt), row!.createdAt + 1000]
        assert.include(yield* versions({ since: second }), 2)
        assert.deepStrictEqual(yield* versions({ since: later }), [])
        assert.deepStrictEqual(yield* versions({ before: later }), [2, 1])
        assert.notInclude(yield* versions({ before: second }), 2)
      })
    )

    it.effect("a row gets another picture only while it has the one that was seen", () =>
      Effect.gen(function* () {
        const { find, replacePicture, save } = yield* ModelLibrary
        const row = yield* save(aModel())
        const by = {
          imageUrl: "https://media.example/a.jpg",
          thumbnailUrl: "https://media.example/a.webp",
          metadata: { sha256: "a" }
        }
        assert.isTrue(yield* replacePicture(row, by))
        assert.deepStrictEqual(yield* find({ id: row.id }), Option.some({ ...row, ...by }))
        assert.isFalse(yield* replacePicture(row, { ...by, metadata: null }))
        assert.deepStrictEqual(yield* find({ id: row.id }), Option.some({ ...row, ...by }))
      })
    )

    it.effect("a row that is removed is gone, and no other is", () =>
      Effect.gen(function* () {
        const { find, remove, save } = yield* ModelLibrary
        const { templateId } = aModel()
        const [first, second] = [yield* save(aModel({ templateId })), yield* save(aModel({ templateId }))]
        assert.isTrue(yield* remove(first.id))
        assert.isFalse(yield* remove(first.id))
        assert.isFalse(yield* remove("no id"))
        assert.deepStrictEqual(yield* find({ id: first.id }), Option.none())
        assert.deepStrictEqual(yield* find({ id: second.id }), Option.some(second))
      })
    )

    it.effect("it answers a ping", () => Effect.flatMap(ModelLibrary, ({ ping }) => ping))

    it.effect.prop(
      "every text and every metadata comes back as it was",
      { prompt: Text, style: Text, metadata: Metadata },
      ({ metadata, prompt, style }) =>
        Effect.gen(function* () {
          const { find, save } = yield* ModelLibrary
          const saved = yield* save(aModel({ prompt, style: [...style].slice(0, 50).join(""), metadata }))
          const json: unknown = JSON.parse(JSON.stringify(metadata)) // which has no -0
          assert.deepStrictEqual([saved.prompt, saved.metadata as unknown], [prompt, json])
          assert.deepStrictEqual(yield* find({ id: saved.id }), Option.some(saved))
        }),
      { arbitrary: { runs: 25 } }
    )
  })
