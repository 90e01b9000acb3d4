import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Result, Stream } from "effect"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe } from "vitest"
import * as MediaStoreDirectory from "../../src/layers/media/MediaStoreDirectory.ts"
import * as MediaStoreLive from "../../src/layers/media/MediaStoreLive.ts"
import * as MediaStoreS3 from "../../src/layers/media/MediaStoreS3.ts"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as MediaStoreMemory from "../../src/layers/memory/MediaStoreMemory.ts"
import { MediaStore } from "../../src/services/MediaStore.ts"
import { Metrics } from "../../src/services/Metrics.ts"
import * as MediaAddress from "../../src/services/settings/MediaAddress.ts"
import { aFile, mediaStoreContract, theStore } from "../contracts/mediaStore.ts"
import { valueOf } from "../contracts/metrics.ts"
import { describeWith } from "../servers/index.ts"
import { freePort } from "../servers/Process.ts"
import * as Seaweed from "../servers/Seaweed.ts"
import { settings } from "../support.ts"

mediaStoreContract("MediaStoreMemory", MediaStoreMemory.layer)

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "model-generator-media-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
const directory = (base = Option.none<string>()) =>
  Layer.unwrap(Effect.map(folder, (path) => MediaStoreDirectory.layer(path, base)))

mediaStoreContract("MediaStoreDirectory", directory())
mediaStoreContract("MediaStoreDirectory with a public address", directory(Option.some("https://cdn.example/models/")))

describe("MediaStoreDirectory", () => {
  it.live("what a killed writer left behind is never listed, and goes after an hour", () =>
    Effect.gen(function* () {
      const path = yield* folder
      yield* Effect.gen(function* () {
        const { list, put } = yield* theStore
        const name = yield* put(aFile())
        const left = join(path, name.slice(0, 2), ".draft-of-a-killed-writer")
        writeFileSync(left, "half a pic")
        const names = Effect.map(Stream.runCollect(list), (files) => files.map((file) => file.name))
        assert.deepStrictEqual(yield* names, [name])
        assert.include(readdirSync(join(path, name.slice(0, 2))), ".draft-of-a-killed-writer")
        utimesSync(left, 1, 1)
        assert.deepStrictEqual(yield* names, [name])
        assert.deepStrictEqual(readdirSync(join(path, name.slice(0, 2))), [name])
      }).pipe(Effect.provide(MediaStoreDirectory.layer(path, Option.none())))
    })
  )

  it.live("a file cut short by a disk that lost power is written again", () =>
    Effect.gen(function* () {
      const path = yield* folder
      yield* Effect.gen(function* () {
        const { get, put } = yield* theStore
        const file = aFile()
        const name = yield* put(file)
        writeFileSync(join(path, name.slice(0, 2), name), file.bytes.slice(0, 10))
        yield* put(file)
        assert.deepStrictEqual(yield* get(name), file.bytes)
      }).pipe(Effect.provide(MediaStoreDirectory.layer(path, Option.none())))
    })
  )

  it.live("a folder that is not there is away, as an unmounted disk is, and is not made", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "not mounted")
      yield* Effect.gen(function* () {
        const { check, get, list, put, remove, stat } = yield* theStore
        const name = `${aFile().sha256}.jpg`
        const calls = [check, put(aFile()), get(name), stat(name), remove(name), Stream.runCollect(list)]
        for (const call of calls) {
          const error = yield* Effect.flip(Effect.asVoid(call))
          assert.strictEqual(error.reason, "away")
          assert.isTrue(error.retryable)
        }
        mkdirSync(path)
        yield* check
      }).pipe(Effect.provide(MediaStoreDirectory.layer(path, Option.none())))
    })
  )

  it.live("a path that leads through a file refuses", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "file")
      writeFileSync(path, "no folder")
      const error = yield* Effect.flatMap(theStore, ({ check }) => Effect.flip(check)).pipe(
        Effect.provide(MediaStoreDirectory.layer(join(path, "media"), Option.none()))
      )
      assert.strictEqual(error.reason, "refused")
    })
  )
})

const bucketOf = (text: string) => {
  const address = Result.getOrThrow(MediaAddress.parse(text))
  assert(address.kind === "bucket")
  return address
}

describeWith(["seaweed"], "MediaStoreS3 on SeaweedFS", ({ seaweed }) => {
  let server: Promise<Seaweed.S3Server> | undefined
  const started = Effect.promise(() => (server ??= Seaweed.start(seaweed.program)))
  afterAll(async () => (await server)?.remove())
  const bucket = (path: string, over: Readonly<Record<string, string>> = {}, base = Option.none<string>()) =>
    Layer.unwrap(
      Effect.map(started, ({ accessKeyId, endpoint, secretAccessKey }) =>
        MediaStoreS3.layer(bucketOf(`s3://${path}?endpoint=${endpoint}&region=us-east-1`), base).pipe(
          Layer.provide(settings({ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, ...over }))
        )
      )
    )
  mediaStoreContract("MediaStoreS3", bucket("models"))
  mediaStoreContract("MediaStoreS3 under a prefix", bucket("models/of/one-team", {}, Option.some("https://cdn.example")))

  const failing = Effect.flatMap(theStore, ({ put }) => Effect.flip(put(aFile())))

  it.live("a second writer is told that the file is there, and leaves it as it is", () =>
    Effect.gen(function* () {
      const { put, stat } = yield* theStore
      const file = aFile()
      const name = yield* put(file)
      const before = yield* stat(name)
      yield* Effect.sleep("1100 millis") // times are whole seconds
      yield* put(file)
      assert.deepStrictEqual(yield* stat(name), before)
    }).pipe(Effect.provide(bucket("models")))
  )

  it.live("a wrong key, or a bucket that does not exist, is a refusal that a person has to see to", () =>
    Effect.gen(function* () {
      for (const store of [bucket("models", { AWS_SECRET_ACCESS_KEY: "wrong" }), bucket("no-such-bucket")]) {
        const error = yield* Effect.provide(failing, store)
        assert.strictEqual(error.reason, "refused", error.message)
        assert.isFalse(error.retryable)
        assert.notInclude(error.message, "a-tester")
      }
    })
  )

  it.live("a server that nobody reaches is away", () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(freePort)
      const error = yield* Effect.provide(
        failing,
        MediaStoreS3.layer(bucketOf(`s3://models?endpoint=http://127.0.0.1:${port}`), Option.none()).pipe(
          Layer.provide(settings({ AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" }))
        )
      )
      assert.strictEqual(error.reason, "away")
      assert.include(error.message, "ECONNREFUSED")
    })
  )
})

describe("MEDIA_STORE", () => {
  it.effect("decides which store there is, and MEDIA_URL where the public finds its files", () =>
    Effect.gen(function* () {
      const store = (env: Readonly<Record<string, string>>) =>
        MediaStore.pipe(Effect.provide(MediaStoreLive.layer.pipe(Layer.provide(settings(env)))))
      assert.deepStrictEqual(yield* store({}), { kind: "unset" })
      for (const [kind, MEDIA_STORE, own] of [
        ["directory", "file:///srv/media", /^file:\/\/\/srv\/media\//],
        ["bucket", "s3://models/a?endpoint=http://s3.example", /^http:\/\/s3\.example\/models\/a\//]
      ] as const) {
        const name = `${aFile().sha256}.jpg`
        const address = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
          const found = yield* store({ MEDIA_STORE, ...env })
          assert(found.kind === kind)
          return found.addressOf(name)
        })
        assert.match(yield* address({}), own)
        assert.strictEqual(yield* address({ MEDIA_URL: "https://cdn.example/x/" }), `https://cdn.example/x/${name}`)
      }
    })
  )

  it.effect("has each failure counted, by what was asked and why it was not done", () =>
    Effect.gen(function* () {
      const store = yield* theStore
      const metrics = yield* Metrics
      yield* Effect.ignore(store.check)
      yield* Effect.ignore(store.put(aFile()))
      yield* Effect.ignore(store.get(`${aFile().sha256}.jpg`))
      yield* Effect.ignore(Stream.runDrain(store.list))
      const { body } = yield* metrics.expose
      for (const operation of ["check", "put", "get", "list"])
        assert.strictEqual(valueOf(body, `media_store_errors_total{operation="${operation}",reason="away"}`), 1, body)
    }).pipe(
      Effect.provide(
        MediaStoreLive.layer.pipe(
          Layer.provide(settings({ MEDIA_STORE: "file:///nowhere/to/be/found" })),
          Layer.provideMerge(MetricsMemory.layer)
        )
      )
    )
  )

  it("names a folder or a bucket", () => {
    const read = (text: string) => Result.getOrThrow(MediaAddress.parse(text))
    assert.deepStrictEqual(read("file:///srv/media"), { kind: "directory", path: "/srv/media" })
    const amazon = { kind: "bucket", bucket: "models", prefix: "", region: "eu-west-1", style: "host" } as const
    assert.deepStrictEqual(read("s3://models?region=eu-west-1"), { ...amazon, endpoint: "https://s3.eu-west-1.amazonaws.com" })
    assert.deepStrictEqual(read("s3://models/a/b/?endpoint=http://minio:9000&region=eu-west-1&style=host"), {
      ...amazon,
      endpoint: "http://minio:9000",
      prefix: "a/b/"
    })
    assert.deepStrictEqual(read("s3://models?endpoint=http://minio:9000"), {
      ...amazon,
      region: "us-east-1",
      endpoint: "http://minio:9000",
      style: "path"
    })
  })

  it("is refused where it is something else, without showing what may be a secret", () => {
    for (const text of [
      "/srv/media",
      "file://host/media",
      "file:///",
      "s3://",
      "s3://Models",
      "s3://key:hidden@models",
      "s3://models?endpoint=ftp://x",
      "s3://models?style=both",
      "s3://models?secret=hidden",
      "https://models.example"
    ]) {
      const read = MediaAddress.parse(text)
      assert.isTrue(Result.isFailure(read), text)
      if (Result.isFailure(read)) assert.notInclude(read.failure, "hidden")
    }
  })
})
