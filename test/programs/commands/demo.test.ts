import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { type IncomingMessage, request } from "node:http"
import { join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import * as Display from "../../../src/programs/commands/Display.ts"
import { gallery } from "../../../src/programs/commands/gallery.ts"
import { bundle } from "../../servers/bundle.ts"
import { which } from "../../servers/Process.ts"
import { eventually } from "../../support.ts"
import { program } from "./program.ts"

const { folder, run, start } = program()

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
      assert.deepStrictEqual(demo.ledger, { paid: 4, saved: 4, paid_twice: 0, refused_unpaid: 1, failed: 0 })
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
      assert.include(jpeg.toString("latin1"), "digitalsourcetype/trainedAlgorithmicMedia")
      const stored = readdirSync(join(output, "store"), { recursive: true, encoding: "utf8" })
      assert.lengthOf(
        stored.filter((name) => /\.(jpg|webp)$/.test(name)),
        8
      )
      const page = readFileSync(join(output, "index.html"), "utf8")
      assert.strictEqual(page.match(/src="data:image\/jpeg/g)?.length, 4)
      assert.notMatch(page, /(src|href)="(?!data:)/)

      assert.match(stderr, /^starting in this process: .*PostgreSQL/m)
      assert.match(stderr, /^✓ generate_model for 12-16 years  refused, on purpose: ValidationError/m)
      assert.match(stderr, /fal is busy, on purpose: tried again$/m)
      assert.notMatch(stderr, /✗|task failed/)
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

it.live("an output folder that takes no pictures is found out before any is made", () =>
  Effect.gen(function* () {
    writeFileSync(join(folder, "a-file"), "")
    for (const [output, why] of [
      ["a-file", "ENOTDIR: not a directory"],
      ["a-file/pictures", "ENOTDIR: not a directory"],
      ["/dev/null/pictures", "ENOTDIR: not a directory"]
    ] as const) {
      const { code, stderr } = yield* run(["demo", "--output", output])
      assert.strictEqual(code, 1)
      assert.strictEqual(
        stderr,
        `model-generator: no picture can be put into ${output} (${why}): choose another folder with --output\n`
      )
    }
  })
)

it("a part that cannot be loaded is named before anything is made", async () => {
  const place = join(folder, "elsewhere")
  const copy = join(place, "model-generator.mjs")
  const install = (name: string, code: string) => {
    mkdirSync(join(place, "node_modules", name), { recursive: true })
    writeFileSync(join(place, "node_modules", name, "index.js"), code)
  }
  const refusal = (...args: ReadonlyArray<string>) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [copy, ...args], { encoding: "utf8", timeout: 20_000 })
    assert.deepStrictEqual([status, stdout, stderr.trimEnd().split("\n").length], [1, "", 1], stderr)
    return stderr
  }
  mkdirSync(place)
  copyFileSync(await bundle(), copy)
  assert.include(refusal("demo"), "model-generator: the demo needs @electric-sql/pglite: Cannot find package")
  assert.include(refusal("fal-simulator", "--port", "0"), "model-generator: the simulator needs sharp: Cannot find package")
  install("@electric-sql/pglite", "")
  // as sharp ends without its native part
  install(
    "sharp",
    "throw new Error('Could not load the \"sharp\" module using the linux-x64 runtime\\nPossible solutions: many')"
  )
  const message = 'needs sharp: Could not load the "sharp" module using the linux-x64 runtime; in a checkout, npm ci installs'
  assert.include(refusal("demo"), message)
  assert.include(refusal("fal-simulator", "--port", "0"), message)
})

it.live(
  "the demo leaves the console open on its pictures, for whoever is at this machine, until it is stopped",
  () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { child, ended, out } = yield* start(["demo", "--count", "1", "--console", "--output", "open"])
        const said = yield* eventually(
          "open",
          Effect.sync(() => out.stdout + out.stderr),
          (text) => text.includes("console is open on"),
          50
        )
        const [, address = ""] = /console is open on (http:\S+)/.exec(said) ?? []
        const get = (path: string, host?: string) =>
          Effect.promise(async () => {
            // `fetch` does not let a page say another host than the one it asks.
            const answer = await new Promise<IncomingMessage>((resolve, reject) =>
              request(`${address}${path}`, { headers: host === undefined ? {} : { host } }, resolve)
                .on("error", reject)
                .end()
            )
            return { status: answer.statusCode, body: Buffer.concat(await answer.toArray()) }
          })
        const { body } = yield* get("/library")
        const [, picture, ...others] = /(?:src="(\/media\/[\w.]+)")/.exec(body.toString()) ?? []
        assert.isEmpty(others)
        assert.lengthOf([...body.toString().matchAll(/data-key="/g)], 3)
        assert.isAbove((yield* get(picture!)).body.length, 1000)
        assert.include((yield* get("/review")).body.toString(), "Approve")
        assert.include((yield* get("/work")).body.toString(), "demo")
        assert.strictEqual((yield* get("/library", "elsewhere.example")).status, 303)
        child.kill("SIGINT")
        assert.strictEqual((yield* Effect.promise(() => ended)).code, 0)
      })
    ),
  60_000
)

const hasTerminals = process.platform === "linux" && which("script") !== undefined
const visible = (text: string) => stripVTControlCharacters(text).replaceAll("\r", "")

it.skipIf(!hasTerminals)(
  "on a terminal of 80 columns the demo says what it waits for, and no line is wider",
  async () => {
    const command = `stty cols 80; ${process.execPath} ${await bundle()} demo --count 1 --output on-a-terminal`
    const { status, stdout } = spawnSync("script", ["-qefc", command, "/dev/null"], {
      cwd: folder,
      encoding: "utf8",
      env: { TERM: "xterm" },
      timeout: 60_000
    })
    assert.strictEqual(status, 0, stdout)
    const lines = visible(stdout).split("\n")
    assert.deepStrictEqual(
      lines.filter((line) => line.length > 80),
      []
    )
    assert.isTrue(lines.some((line) => line.includes("starting PostgreSQL inside this process")))
    assert.isFalse(lines.some((line) => line.includes("0/0")))
    const rows = lines.slice(lines.findIndex((line) => line.startsWith("template")) + 1).slice(0, 3)
    for (const row of rows) assert.match(row, /^(fe)?male_\S+ +\d+ +\d+ +\d+\.\d +0\d_\S+\.jpg$/)
  },
  60_000
)

it("a table fits its terminal, a text is broken between its words", () => {
  const plain = (text: string) => text
  const paint: Display.Paint = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain }
  const rows = [
    ["female_25-35_average_front-standing_professional", "1", "11_female_25-35.jpg"],
    ["male", "12", "12_male.jpg"]
  ]
  const at = (room?: number) => Display.table(paint, ["template", "v", "file"], rows, room).split("\n")
  assert.include(at()[1], rows[0]![0]!)
  for (const room of [79, 60, 40, 30]) for (const line of at(room)) assert.isAtMost(line.length, room)
  assert.strictEqual(at(60)[1], "female_25-35_aver…ding_professional  1   11_female_25-35.jpg")
  assert.strictEqual(at(60)[2], "male                                 12  12_male.jpg")

  assert.strictEqual(Display.wrap("one two three", 13), "one two three")
  assert.strictEqual(Display.wrap("one two three four", 9), "one two\n    three\n    four")
  assert.strictEqual(Display.wrap("\u001b[31mone\u001b[0m two", 7), "\u001b[31mone\u001b[0m two")
})
