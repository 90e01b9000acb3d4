/** The operator's `library` commands, as programs: rows of before MEDIA_STORE was set, and the pictures of both kinds. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { program } from "../programs/commands/program.ts"
import { describeWith } from "../servers/index.ts"
import { uniqueId } from "../support.ts"
import { ask } from "./pictures.ts"
import { makeStage } from "./stage.ts"

describeWith(["redis", "postgres"], "model-generator library", (servers) => {
  const { run } = program()
  it.live(
    "lists, shows and audits the rows, copies the pictures that are still at fal, and finds nothing to delete",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        const path = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "model-generator-media-"))),
          (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
        )
        yield* stage.start()
        for (const id of [uniqueId("old"), uniqueId("old")]) {
          yield* stage.push(ask(id))
          assert.strictEqual((yield* stage.final(id))!.status, "SUCCESS")
        }
        const env = { ...stage.env, MEDIA_STORE: `file://${path}` }
        const json = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
          const { code, stderr, stdout } = yield* run(["library", ...args, "--json"], env)
          assert.strictEqual(code, 0, stderr)
          return JSON.parse(stdout) as never // what the commands print
        })
        const listed = Effect.map(json("list"), (rows: ReadonlyArray<{ readonly place: string }>) =>
          rows.map(({ place }) => place)
        )
        assert.deepStrictEqual(yield* listed, ["elsewhere", "elsewhere"]) // the simulator's media are at no address of fal's
        assert.deepStrictEqual(yield* json("adopt"), { adopted: 2, ours: 0, changed: 0, gone: 0, failed: 0, failures: [] })
        assert.deepStrictEqual(yield* json("adopt"), { adopted: 0, ours: 2, changed: 0, gone: 0, failed: 0, failures: [] })
        assert.deepStrictEqual(yield* listed, ["store", "store"])
        assert.deepStrictEqual(yield* json("gc"), { deleted: false, count: 0, bytes: 0, files: [] })

        assert.deepStrictEqual(yield* json("audit"), { alive: 2, dying: 0, dead: 0, unknown: 0, others: [] })
        const { cells, have } = yield* json("matrix") as Effect.Effect<{ readonly cells: number; readonly have: number }>
        assert.deepStrictEqual([cells, have], [288, 0]) // an age of 25-35 is no preset
        const page = join(path, "page.html")
        const shown = yield* run(["library", "gallery", page, "--gender", "female"], env)
        assert.strictEqual(shown.code, 0, shown.stderr)
        const html = readFileSync(page, "utf8")
        assert.lengthOf(html.match(/<figure>/g) ?? [], 2)
        assert.lengthOf(html.match(/src="data:image\/webp;base64,/g) ?? [], 2)
        const out = join(path, "out")
        const written = yield* run(["library", "export", out, "--place", "store", "--newer-than", "1h", "--json"], env)
        assert.deepStrictEqual(JSON.parse(written.stdout), { exported: 2, there: 0, failed: 0, failures: [] }, written.stderr)
        const files = ["v1.jpg", "v2.jpg"].map((end) => `female_25-35_average_front-standing_professional_${end}`)
        assert.deepStrictEqual(readdirSync(out).toSorted(), [...files, "library.jsonl"])
        assert.deepStrictEqual(yield* json("list", "--older-than", "1h"), [])
        const wrong = yield* run(["library", "list", "--older-than", "a week"], env)
        assert.strictEqual(wrong.code, 2)
        const row = yield* run(["library", "show", "female_25-35_average_front-standing_professional"], env)
        assert.strictEqual((JSON.parse(row.stdout) as { version: number }).version, 2)

        const csv = yield* run(["library", "list", "--csv", "--style", "professional", "--limit", "1"], env)
        assert.match(csv.stdout, /^id,template_id,version,created_at,place,image_url.*\n[^\n]+\n$/)
        const { id, image_url: address } = (yield* json("list", "--limit", "1"))[0] as never as Record<"id" | "image_url", string>
        assert.include((yield* run(["library", "recall", id], env)).stdout, "would be deleted for good; --yes does it")
        const admin = { ...env, FAL_ADMIN_KEY: "99887766-admin-id:4433221100-secret" }
        const recalled = yield* run(["library", "recall", id, "--yes", "--json"], admin)
        assert.deepInclude(JSON.parse(recalled.stdout), { recalled: true, version: 2, fal: "deleted", left: [] }, recalled.stderr)
        assert.isFalse(existsSync(fileURLToPath(address)))
        assert.strictEqual((yield* run(["library", "show", id], env)).code, 1)
        assert.deepStrictEqual(yield* json("audit"), { alive: 1, dying: 0, dead: 0, unknown: 0, others: [] })

        // What fal does not delete ends the command with a failure that names the request; the row is gone all the same.
        const [left] = yield* json("list") as Effect.Effect<ReadonlyArray<{ readonly id: string }>>
        yield* stage.fal.setFaults({ route: "platform", kind: "error" })
        const failed = yield* run(["library", "recall", left!.id, "--yes"], admin)
        assert.strictEqual(failed.code, 1)
        assert.include(failed.stdout, "fal answered 500")
        assert.match(failed.stderr, /recalled, but fal has not deleted all of request [\da-f-]{36}/)
        assert.deepStrictEqual(yield* json("list"), [])

        const unset = yield* run(["library", "adopt"], stage.env)
        assert.strictEqual(unset.code, 1)
        assert.include(unset.stderr, "MEDIA_STORE is not set")
      }),
    90_000
  )
})
