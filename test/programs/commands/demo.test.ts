import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { gallery } from "../../../src/programs/commands/gallery.ts"
import { program } from "./program.ts"

const { folder, run } = program()

it.live(
  "the demo makes, edits, refuses and keeps, whatever the environment says of production",
  () =>
    Effect.gen(function* () {
      const output = join(folder, "pictures")
      const { code, stderr, stdout } = yield* run(["demo", "--count", "2", "--output", output, "--json"], {
        CELERY_BROKER_URL: "redis://production.invalid/0",
        DATABASE_URL: "postgresql://production.invalid/models",
        FAL_BASE_URL: "http://production.invalid",
        FAL_KEY: "production:key"
      })
      assert.strictEqual(code, 0, stderr)
      const demo = JSON.parse(stdout)
      assert.deepStrictEqual(demo.ledger, { paid: 4, saved: 4, paid_twice: 0, refused_unpaid: 1 })
      assert.deepStrictEqual(
        demo.refused.map((one: { readonly type: string }) => one.type),
        ["ValidationError"]
      )
      assert.strictEqual(
        demo.pictures.filter((one: { readonly edited_from: string | null }) => one.edited_from !== null).length,
        1
      )

      const files = readdirSync(output)
      for (const { file } of demo.pictures) assert.include(files, file)
      const jpeg = readFileSync(join(output, demo.pictures[0].file))
      assert.deepStrictEqual([...jpeg.subarray(0, 2)], [0xff, 0xd8])
      const page = readFileSync(join(output, "index.html"), "utf8")
      assert.strictEqual(page.match(/src="data:image\/jpeg/g)?.length, 4)
      assert.notMatch(page, /(src|href)="(?!data:)/)

      assert.match(stderr, /will be tried again/)
      assert.notInclude(stderr, "\u001b")
    }),
  60_000
)

it("the gallery shows whatever a prompt says as text", () => {
  const evil = `<script>alert("1")</script>&'`
  const page = gallery(evil, evil, evil, [
    { title: evil, about: evil, name: evil, data: `"><img src=x onerror=alert(1)>`, prompt: evil, editedFrom: evil }
  ])
  assert.notInclude(page, "<script")
  assert.notInclude(page, "<img src=x")
})
