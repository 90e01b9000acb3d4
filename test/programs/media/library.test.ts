/** What an operator does with the library's pictures: copies those at fal, and deletes files that no row names. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { NodeFileSystem } from "@effect/platform-node"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as MediaStoreMemory from "../../../src/layers/memory/MediaStoreMemory.ts"
import * as MetricsMemory from "../../../src/layers/memory/MetricsMemory.ts"
import * as ModelLibraryMemory from "../../../src/layers/memory/ModelLibraryMemory.ts"
import { audit } from "../../../src/programs/media/audit.ts"
import { adopt } from "../../../src/programs/media/adopt.ts"
import { garbage } from "../../../src/programs/media/collectGarbage.ts"
import { exportTo, listInto } from "../../../src/programs/media/exportTo.ts"
import { rowsOf } from "../../../src/programs/media/pages.ts"
import { recall } from "../../../src/programs/media/recall.ts"
import { MediaSource, SourceError, type SourceReason } from "../../../src/services/MediaSource.ts"
import { Payloads, PayloadsError } from "../../../src/services/Payloads.ts"
import { everything, ModelLibrary, sample } from "../../../src/services/ModelLibrary.ts"
import { theStore } from "../../contracts/mediaStore.ts"
import { bytesOf, layer as textPictures, marked, sha256 } from "../../textPictures.ts"

/** What each address gives; what is not named gives a picture. */
const world = (answers: Readonly<Record<string, SourceReason | "html">> = {}) =>
  Layer.mergeAll(
    Layer.fresh(ModelLibraryMemory.layer),
    Layer.fresh(MediaStoreMemory.layer),
    MetricsMemory.layer,
    Layer.succeed(MediaSource, {
      read: (address) => {
        const answer = answers[address]
        if (answer === "html") return Effect.succeed(bytesOf("<html>"))
        return answer === undefined
          ? Effect.succeed(bytesOf(`a picture at ${address}`))
          : Effect.fail(new SourceError({ reason: answer, detail: "scripted" }))
      }
    }),
    textPictures,
    Layer.succeed(Payloads, { isDeletable: false, remove: () => Effect.die("without a key nothing is asked") })
  )

const at = (name: string) => `https://v3.fal.media/files/${name}.jpg`
const saved = Effect.fnUntraced(function* (...names: ReadonlyArray<string>) {
  const library = yield* ModelLibrary
  const rows = []
  for (const name of names)
    rows.push(yield* library.save({ ...sample(name), templateId: "t", imageUrl: at(name), metadata: { season: name } }))
  return rows
})
const outcomes = Effect.gen(function* () {
  const all = yield* Stream.runCollect(adopt(yield* theStore, rowsOf(everything)))
  return all.map((one) => [one.row.falRequestId, one._tag === "Failed" ? `${one.gone ? "gone" : "failed"}` : one._tag])
})

describe("adopt", () => {
  it.effect("copies each picture that is still there, and the row keeps what it had and says where it came from", () =>
    Effect.gen(function* () {
      const store = yield* theStore
      const library = yield* ModelLibrary
      const [row] = yield* saved("one")
      assert.deepStrictEqual(yield* outcomes, [["one", "Adopted"]])
      const [found] = yield* library.list(everything, null, 10)
      const name = store.nameIn(found!.imageUrl)!
      assert.strictEqual(found!.metadata!["sha256"], sha256(yield* store.get(name)))
      assert.isDefined(store.nameIn(found!.thumbnailUrl!))
      assert.deepInclude(found!.metadata, { season: "one", source_url: at("one") })
      assert.strictEqual(found!.id, row!.id)
    }).pipe(Effect.provide(world()))
  )

  it.effect("leaves a row alone whose picture cannot be had, and says whether trying again may help", () =>
    Effect.gen(function* () {
      const library = yield* ModelLibrary
      yield* saved("gone", "away", "html", "good")
      assert.deepStrictEqual(yield* outcomes, [
        ["good", "Adopted"],
        ["html", "gone"],
        ["away", "failed"],
        ["gone", "gone"]
      ])
      const rows = yield* library.list(everything, null, 10)
      assert.deepStrictEqual(
        rows.slice(1).map(({ imageUrl }) => imageUrl),
        [at("html"), at("away"), at("gone")]
      )
    }).pipe(Effect.provide(world({ [at("gone")]: "gone", [at("away")]: "away", [at("html")]: "html" })))
  )

  it.effect("run again does nothing twice", () =>
    Effect.gen(function* () {
      yield* saved("one", "two")
      yield* outcomes
      const files = yield* Stream.runCollect((yield* theStore).list)
      assert.deepStrictEqual(yield* outcomes, [
        ["two", "Ours"],
        ["one", "Ours"]
      ])
      assert.deepStrictEqual(yield* Stream.runCollect((yield* theStore).list), files)
    }).pipe(Effect.provide(world()))
  )
})

describe("audit", () => {
  const audited = Effect.map(Stream.runCollect(audit(rowsOf(everything))), (all) =>
    all.map(({ health, row }) => [row.falRequestId, health]).toSorted()
  )

  it.effect("tells the living from those at fal whose time is near, from the dead, and from what cannot be known now", () =>
    Effect.gen(function* () {
      yield* saved("good", "gone", "away")
      assert.deepStrictEqual(yield* audited, [
        ["away", "unknown"],
        ["gone", "dead"],
        ["good", "alive"]
      ])
      yield* TestClock.adjust("6 days")
      assert.deepInclude(yield* audited, ["good", "dying"])
    }).pipe(Effect.provide(world({ [at("gone")]: "gone", [at("away")]: "away" })))
  )

  it.effect("finds a stored picture that is missing", () =>
    Effect.gen(function* () {
      const store = yield* theStore
      yield* saved("one", "two")
      yield* outcomes
      yield* TestClock.adjust("100 days")
      assert.deepStrictEqual(yield* audited, [
        ["one", "alive"],
        ["two", "alive"]
      ])
      const [row] = yield* (yield* ModelLibrary).list(everything, null, 1)
      yield* store.remove(store.nameIn(row!.imageUrl)!)
      assert.deepStrictEqual(yield* audited, [
        ["one", "alive"],
        ["two", "dead"]
      ])
    }).pipe(Effect.provide(world()))
  )
})

it.effect("gc finds what no row names, and nothing that is younger than a day", () =>
  Effect.gen(function* () {
    const store = yield* theStore
    yield* saved("one")
    yield* outcomes
    const put = (text: string) => {
      const bytes = bytesOf(text)
      return store.put({ bytes, sha256: sha256(bytes), contentType: "image/jpeg", extension: "jpg" })
    }
    const orphan = yield* put("an orphan")
    const names = Effect.map(garbage(store), (files) => files.map(({ name }) => name))
    assert.deepStrictEqual(yield* names, [])
    yield* TestClock.adjust("25 hours")
    yield* put("a young one")
    assert.deepStrictEqual(yield* names, [orphan])
  }).pipe(Effect.provide(world()))
)

describe("export", () => {
  const folder = Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "model-generator-export-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const exported = (path: string) =>
    Effect.map(Stream.runCollect(exportTo(path, rowsOf(everything))), (all) =>
      all.map((one) => (one._tag === "Failed" ? `${one.row.falRequestId}: ${one.why}` : `${one._tag} ${one.file}`))
    )
  const withFiles = (answers: Parameters<typeof world>[0] = {}) =>
    Effect.provide(Layer.mergeAll(world(answers), NodeFileSystem.layer))

  it.effect("writes each picture under its template and version, of the store and of fal, and goes on where it was", () =>
    Effect.gen(function* () {
      const path = yield* folder
      yield* saved("one")
      yield* outcomes // copied into the store
      yield* saved("two")
      assert.deepStrictEqual(yield* exported(join(path, "out")), ["Exported t_v2.bin", "Exported t_v1.bin"])
      assert.strictEqual(
        readFileSync(join(path, "out", "t_v1.bin"), "utf8"),
        marked(`a picture at ${at("one")}`, { model: "fal.ai", createdAt: 0, id: "one" })
      )
      yield* saved("three")
      assert.deepStrictEqual(yield* exported(join(path, "out")), ["Exported t_v3.bin", "There t_v2.bin", "There t_v1.bin"])
    }).pipe(withFiles())
  )

  it.effect("names the rows that it could not have, and lists those that it has with all that their rows say", () =>
    Effect.gen(function* () {
      const path = yield* folder
      yield* saved("good", "gone")
      const list = join(path, "library.jsonl")
      yield* listInto(list, exportTo(path, rowsOf(everything)))
      const lines = readFileSync(list, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      assert.deepStrictEqual(
        lines.map(({ falRequestId, file }) => [falRequestId, file]),
        [["good", "t_v1.bin"]]
      )
      assert.deepStrictEqual(readdirSync(path).toSorted(), ["library.jsonl", "t_v1.bin"])
      assert.include((yield* exported(path))[0], "gone: ")
    }).pipe(withFiles({ [at("gone")]: "gone" }))
  )

  it.effect("takes no template id for a path", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const library = yield* ModelLibrary
      const row = yield* library.save({ ...sample("x"), templateId: "../../etc/passwd", imageUrl: at("x") })
      assert.deepStrictEqual(yield* exported(path), [`Exported ${row.id}.bin`])
    }).pipe(withFiles())
  )
})

describe("recall", () => {
  it.effect("deletes the row and both files, and the same picture is never stored again", () =>
    Effect.gen(function* () {
      const store = yield* theStore
      const library = yield* ModelLibrary
      yield* saved("one", "two")
      yield* outcomes
      const [two, one] = yield* library.list(everything, null, 10)
      assert.deepStrictEqual(yield* recall(store, one!), { _tag: "no key", requestId: "one" })
      assert.deepStrictEqual(yield* library.list(everything, null, 10), [two!])
      const left = (yield* Stream.runCollect(store.list)).map(({ name }) => name)
      assert.deepStrictEqual(left.toSorted(), [two!.imageUrl, two!.thumbnailUrl!].map((url) => store.nameIn(url)!).toSorted())
      yield* saved("again")
      yield* library.replacePicture((yield* library.list(everything, null, 1))[0]!, {
        imageUrl: at("one"),
        thumbnailUrl: null,
        metadata: null
      })
      assert.deepStrictEqual((yield* outcomes)[0], ["again", "gone"])
      assert.lengthOf(yield* Stream.runCollect(store.list), 2)
    }).pipe(Effect.provide(world()))
  )

  it.effect("broken off before its end it can be made again", () =>
    Effect.gen(function* () {
      const store = yield* theStore
      const library = yield* ModelLibrary
      yield* saved("one")
      yield* outcomes
      const [row] = yield* library.list(everything, null, 1)
      yield* store.remove(store.nameIn(row!.imageUrl)!)
      yield* recall(store, row!)
      assert.lengthOf(yield* library.list(everything, null, 10), 0)
      assert.isTrue(yield* store.isRecalled(store.nameIn(row!.imageUrl)!.slice(0, 64)))
    }).pipe(Effect.provide(world()))
  )

  it.effect("deletes the provider's copy too, and all of ours also when the provider does not", () =>
    Effect.gen(function* () {
      const store = yield* theStore
      const library = yield* ModelLibrary
      yield* saved("left", "away", "known")
      yield* outcomes
      const asked: Array<string> = []
      const payloads = Layer.succeed(Payloads, {
        isDeletable: true,
        remove: (requestId) => {
          asked.push(requestId)
          if (requestId === "away") return Effect.fail(new PayloadsError({ detail: "no answer in time" }))
          return Effect.succeed({ _tag: "deleted", left: requestId === "left" ? [{ address: at("left"), why: "in use" }] : [] })
        }
      })
      const ends = []
      for (const row of yield* library.list(everything, null, 10)) ends.push(yield* Effect.provide(recall(store, row), payloads))
      assert.deepStrictEqual(ends, [
        { _tag: "deleted", requestId: "known", left: [] },
        { _tag: "failed", requestId: "away", why: "no answer in time" },
        { _tag: "deleted", requestId: "left", left: [{ address: at("left"), why: "in use" }] }
      ])
      assert.deepStrictEqual(asked, ["known", "away", "left"])
      assert.lengthOf(yield* library.list(everything, null, 10), 0)
      assert.lengthOf(yield* Stream.runCollect(store.list), 0)
    }).pipe(Effect.provide(world()))
  )
})
