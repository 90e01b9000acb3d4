/** A console in this process, with a library in memory and pictures in a folder, on a port of its own. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Option, Redacted } from "effect"
import { HttpServer } from "effect/http"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import sharp from "sharp"
import { rgbaToThumbHash } from "thumbhash"
import { fromPrompt } from "../../../src/fal-simulator/picture/Figure.ts"
import { render } from "../../../src/fal-simulator/picture/render.ts"
import * as MediaStoreDirectory from "../../../src/layers/media/MediaStoreDirectory.ts"
import { phash, SIDE } from "../../../src/layers/media/phash.ts"
import * as FalLimitsMemory from "../../../src/layers/memory/FalLimitsMemory.ts"
import * as FleetMemory from "../../../src/layers/memory/FleetMemory.ts"
import * as GeneratorMemory from "../../../src/layers/memory/GeneratorMemory.ts"
import * as JournalMemory from "../../../src/layers/memory/JournalMemory.ts"
import * as TaskLivesMemory from "../../../src/layers/memory/TaskLivesMemory.ts"
import * as ModelLibraryMemory from "../../../src/layers/memory/ModelLibraryMemory.ts"
import * as ResultStoreMemory from "../../../src/layers/memory/ResultStoreMemory.ts"
import * as ReviewsMemory from "../../../src/layers/memory/ReviewsMemory.ts"
import * as TaskQueueMemory from "../../../src/layers/memory/TaskQueueMemory.ts"
import * as PeopleFile from "../../../src/layers/process/PeopleFile.ts"
import * as Provider from "../../../src/layers/Provider.ts"
import * as AtFal from "../../../src/programs/console/AtFal.ts"
import * as Changes from "../../../src/programs/console/Changes.ts"
import * as Door from "../../../src/programs/console/Door.ts"
import { serve } from "../../../src/programs/console/server.ts"
import { combinations, type Five, promptOf, templateIdOf } from "../../../src/programs/generation/tasks/Parameters.ts"
import { MediaStore } from "../../../src/services/MediaStore.ts"
import { ModelLibrary, type NewModel } from "../../../src/services/ModelLibrary.ts"
import { People, type Role } from "../../../src/services/People.ts"
import { aRow } from "../../contracts/ledger.ts"
import { identity, settings } from "../../support.ts"

export const PASSWORD = "correct horse"
/** One of each role. */
export const everybody: ReadonlyArray<readonly [name: string, role: Role]> = [
  ["vera", "viewer"],
  ["anna", "curator"],
  ["ben", "curator"],
  ["olga", "operator"]
]

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "model-generator-console-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** What a picture's row would say of it, and its bytes. */
const drawn = Effect.fnUntraced(function* (five: Five, seed: number) {
  return yield* Effect.promise(async () => {
    const bytes = await render({ figure: fromPrompt(promptOf(five), seed), width: 384, height: 512, format: "jpeg" })
    const small = await sharp(bytes).resize(48, 64).ensureAlpha().raw().toBuffer()
    const grey = await sharp(bytes).greyscale().resize(SIDE, SIDE, { fit: "fill" }).extractChannel(0).raw().toBuffer()
    return {
      bytes,
      metadata: {
        width: 384,
        height: 512,
        thumbhash: Buffer.from(rgbaToThumbHash(48, 64, small)).toString("base64"),
        phash: phash(grey),
        seed,
        cost_usd: 0.025,
        cost_source: "units"
      }
    }
  })
})

/** A perceptual hash that is like that of no other number. */
export const unlike = (n: number) => sha256(Buffer.from(String(n))).slice(0, 16)

let pictures = 0
/** Puts a picture into the library, its bytes into the folder, and what it cost into the ledger. */
export const addPicture = Effect.fnUntraced(function* (
  over: Partial<NewModel> & { readonly five?: Five; readonly like?: string } = {}
) {
  const { five = combinations[(pictures * 37) % combinations.length]!, like, ...row } = over
  const library = yield* ModelLibrary
  const store = yield* MediaStore
  if (store.kind === "unset") return yield* Effect.die("the stage has a store")
  const { bytes, metadata } = yield* drawn(five, ++pictures)
  const name = yield* store.put({ bytes, sha256: sha256(bytes), contentType: "image/jpeg", extension: "jpg" })
  const request = `request-${pictures}`
  return yield* library.save(
    {
      templateId: templateIdOf(five),
      version: null,
      imageUrl: store.addressOf(name),
      thumbnailUrl: store.addressOf(name),
      gender: five.gender,
      ageRange: five.age_range,
      bodyType: five.body_type,
      pose: five.pose,
      style: five.style,
      prompt: promptOf(five),
      falRequestId: request,
      processingTimeMs: 2140,
      ...row,
      metadata: { ...metadata, ...(like === undefined ? {} : { phash: like }), ...row.metadata }
    },
    [aRow({ requestId: request, taskId: `task-${pictures}`, at: Date.now() })]
  )
})

/** Serves until the scope ends; everything that the pages are about can be asked and changed beside them. */
export const console_ = (env: Readonly<Record<string, string>> = {}) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const folder = yield* temporary
      const users = join(folder, "users")
      const set = settings({ CONSOLE_USERS: users, MEDIA_STORE: `file://${folder}`, ...env })
      const people = PeopleFile.layer(users)
      const world = Layer.mergeAll(
        Layer.mergeAll(
          TaskQueueMemory.layer.pipe(Layer.provideMerge(ResultStoreMemory.layer)),
          JournalMemory.layer,
          TaskLivesMemory.layer
        ).pipe(Layer.provide(TaskQueueMemory.MemoryBroker.layer)),
        ReviewsMemory.layer.pipe(Layer.provideMerge(ModelLibraryMemory.layer)),
        MediaStoreDirectory.layer(folder, Option.none()),
        FleetMemory.layer.pipe(Layer.provide(FleetMemory.MemoryAir.layer)),
        Provider.catalogue,
        GeneratorMemory.layer,
        FalLimitsMemory.layer,
        people,
        Layer.effectDiscard(
          Effect.gen(function* () {
            const { put } = yield* People
            for (const [name, role] of everybody) yield* put({ name, role }, Redacted.make(PASSWORD))
          })
        ).pipe(Layer.provide(people))
      ).pipe(Layer.provideMerge(identity()))
      return serve(Effect.succeed([])).pipe(
        Layer.provide([Door.layer, Changes.layer, AtFal.layer]),
        Layer.provideMerge(world),
        Layer.provideMerge(
          NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: "100 millis" })
        ),
        Layer.provide(set)
      )
    })
  )

export const address = Effect.map(HttpServer.HttpServer, ({ address }) => HttpServer.formatAddress(address))
