/** Real workers that keep the bytes of their pictures, in a folder. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import sharp from "sharp"
import { judge, makeCertificate } from "../c2pa.ts"
import { describeWith } from "../servers/index.ts"
import { eventually, message, uniqueId } from "../support.ts"
import { ask, inFlight, paidAndSaved } from "./pictures.ts"
import { makeStage } from "./stage.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "model-generator-media-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
const filesIn = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []))

describeWith(["redis", "postgres"], "a worker with MEDIA_STORE", (servers) => {
  it.live(
    "stores each picture as fal made it, marked as made by a model, with a thumbnail; its result is the source of an edit",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        const path = yield* folder
        yield* stage.start({ MEDIA_STORE: `file://${path}` })
        const id = uniqueId("kept")
        yield* stage.push(ask(id))
        const made = (yield* stage.final(id))!.result as Record<string, string> // our own task's form
        const bytes = readFileSync(fileURLToPath(made["image_url"]!))
        assert.strictEqual(basename(made["image_url"]!), `${createHash("sha256").update(bytes).digest("hex")}.jpg`)
        assert.include(bytes.toString("latin1"), "digitalsourcetype/trainedAlgorithmicMedia")
        const thumbnail = readFileSync(fileURLToPath(made["thumbnail_url"]!))
        assert.deepInclude(yield* Effect.promise(() => sharp(thumbnail).metadata()), { format: "webp", width: 384, height: 512 })
        const [row] = yield* stage.models
        const metadata = row!["metadata"] as Record<string, unknown> // as we wrote it
        // fal's own bytes give the same pixels.
        const fals = Buffer.from(yield* Effect.promise(async () => (await fetch(String(metadata["source_url"]))).arrayBuffer()))
        const pixels = (file: Buffer) => Effect.promise(() => sharp(file).raw().toBuffer())
        assert.isTrue((yield* pixels(fals)).equals(yield* pixels(bytes)))

        const edit = uniqueId("edit")
        yield* stage.push(message({ id: edit, task: "edit_model", kwargs: { model: made, prompt: "a red coat" } }))
        assert.strictEqual((yield* stage.final(edit))!.status, "SUCCESS")
        assert.lengthOf(filesIn(path), 4)
        yield* paidAndSaved(stage, 2)
      }),
    90_000
  )

  it.live(
    "killed in the middle of a picture and started again pays once, saves once, and leaves two files",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 2 })
        const path = yield* folder
        const env = { MEDIA_STORE: `file://${path}` }
        const first = yield* stage.start(env)
        const id = yield* inFlight(stage)
        yield* first.signal("SIGKILL")
        yield* first.exited
        yield* stage.start(env)
        assert.strictEqual((yield* stage.final(id))!.status, "SUCCESS")
        assert.lengthOf(filesIn(path), 2)
        yield* paidAndSaved(stage, 1)
      }),
    90_000
  )

  it.live(
    "buys nothing while its folder cannot be written to, says so, and goes on when it can",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        const path = yield* folder
        const mounted = join(path, "mounted")
        const worker = yield* stage.start({ MEDIA_STORE: `file://${mounted}` })
        const id = uniqueId("waiting")
        yield* stage.push(ask(id))
        yield* eventually("it says why it buys nothing", worker.output, (log) => log.includes("none is bought"))
        assert.lengthOf(yield* stage.fal.ledger, 0)
        mkdirSync(mounted)
        yield* eventually(
          "the picture is made",
          stage.result(id),
          (document) => document?.status === "SUCCESS",
          40 // seconds: the worker tries again after at most 15
        )
        yield* paidAndSaved(stage, 1)
      }),
    90_000
  )

  it.live(
    "reads a file once more that came spoilt, and fails the task when it is no picture at all",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        const path = yield* folder
        yield* stage.start({ MEDIA_STORE: `file://${path}` })
        for (const kind of ["html", "accept-then-truncate", "misencoded"] as const) {
          yield* stage.fal.setFaults({ route: "media", kind })
          const id = uniqueId(kind)
          yield* stage.push(ask(id))
          assert.strictEqual((yield* stage.final(id))!.status, "SUCCESS", kind)
        }
        yield* stage.fal.setFaults({ route: "media", kind: "html", times: 99 })
        const id = uniqueId("page")
        yield* stage.push(ask(id))
        const { result, status } = (yield* stage.final(id))!
        assert.deepStrictEqual([status, result["exc_type"]], ["FAILURE", "PictureUnusable"])
        assert.include(String(result["exc_message"]), "not a picture")
        assert.lengthOf(filesIn(path), 6)
        assert.lengthOf(yield* stage.models, 3)
        assert.lengthOf(yield* stage.fal.ledger, 4)
      }),
    90_000
  )
})

describeWith(["redis", "postgres", "c2pa"], "a worker with C2PA_CERT", (servers) => {
  it.live(
    "signs what it stores; killed in the middle of a picture it pays once and names one signed file in the row",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 2 })
        const path = yield* folder
        const certificates = yield* folder
        const { cert, key, root } = yield* Effect.promise(() => makeCertificate(certificates, "P-256"))
        const env = { MEDIA_STORE: `file://${path}`, C2PA_CERT: cert, C2PA_KEY: key }
        const first = yield* stage.start(env)
        const id = yield* inFlight(stage)
        yield* first.signal("SIGKILL")
        yield* first.exited
        yield* stage.start(env)
        const made = (yield* stage.final(id))!.result as Record<string, string> // our own task's form
        const file = fileURLToPath(made["image_url"]!)
        assert.deepInclude(judge(servers.c2pa.python, root, [file])[0], { state: "Trusted", failures: [] })
        assert.strictEqual(basename(file), `${createHash("sha256").update(readFileSync(file)).digest("hex")}.jpg`)
        yield* paidAndSaved(stage, 1)
      }),
    90_000
  )
})
