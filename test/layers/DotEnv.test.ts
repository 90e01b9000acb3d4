import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as DotEnv from "../../src/layers/process/DotEnv.ts"
import * as Settings from "../../src/services/Settings.ts"

const file = (text: string, mode: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "dot-env-"))
      const path = join(folder, ".env")
      writeFileSync(path, text)
      chmodSync(path, mode)
      return { folder, path }
    }),
    ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )
const problems = (path: string, env = {}) => Effect.sync(() => DotEnv.problems(path, env))

describe("reading a .env", () => {
  it("reads values as Docker Compose does", () => {
    const text = `# a comment
PLAIN=a=b#c
COMMENTED=a b   # why
export EXPORTED = spaced
EMPTY=
ONLY_COMMENT= # nothing
SINGLE='pa$$ #word' # why
DOUBLE="two\\nlines \\"said\\""\r
`
    assert.deepStrictEqual(DotEnv.parse(text), {
      values: {
        PLAIN: "a=b#c",
        COMMENTED: "a b",
        EXPORTED: "spaced",
        EMPTY: "",
        ONLY_COMMENT: "",
        SINGLE: "pa$$ #word",
        DOUBLE: 'two\nlines "said"'
      },
      problems: []
    })
  })

  it("refuses what Compose would read otherwise, and shows no value", () => {
    const { problems } = DotEnv.parse('A=hunter$2\nB="hunter$2"\nC=\'hunter2\nhunter2\n')
    assert.deepStrictEqual(
      problems.map((problem) => problem.split(" ")[0]),
      ["A", "B", "C", ".env"]
    )
    assert.notInclude(problems.join(), "hunter")
  })
})

describe("a start with a .env", () => {
  it.effect("uses it where the environment is silent; the environment wins", () =>
    Effect.gen(function* () {
      const { path } = yield* file("FAL_KEY=from:file\nFAL_MODEL=file/model\nREDIS_PASSWORD=file\n", 0o600)
      const env = { FAL_MODEL: "env/model", REDIS_PASSWORD: "" }
      assert.deepStrictEqual(yield* problems(path, env), [])
      const settings = yield* Settings.of("FAL_KEY", "FAL_MODEL").pipe(Effect.provide(DotEnv.layer(path, env)))
      assert.strictEqual(Redacted.value(settings.FAL_KEY), "from:file")
      assert.strictEqual(settings.FAL_MODEL, "env/model")
      const { REDIS_PASSWORD } = yield* Settings.of("REDIS_PASSWORD").pipe(Effect.provide(DotEnv.layer(path, env)))
      assert.notStrictEqual(Option.getOrUndefined(Option.map(REDIS_PASSWORD, Redacted.value)), "file")
    })
  )

  for (const mode of [0o640, 0o604, 0o644, 0o660])
    it.effect(`is refused when it has mode ${mode.toString(8)}, and nothing of it is used`, () =>
      Effect.gen(function* () {
        const { path } = yield* file("FAL_KEY=from:file\n", mode)
        assert.match((yield* problems(path)).join(), /chmod 600/)
        assert.deepStrictEqual(
          (yield* Effect.flip(Settings.check(["FAL_KEY"])).pipe(Effect.provide(DotEnv.layer(path, {})))).problems,
          ["FAL_KEY is not set"]
        )
      })
    )

  it.effect("is allowed to be open by ALLOW_READABLE_ENV=1, in the environment or in itself", () =>
    Effect.gen(function* () {
      const { path } = yield* file("FAL_KEY=from:file\n", 0o644)
      assert.deepStrictEqual(yield* problems(path, { ALLOW_READABLE_ENV: "1" }), [])
      assert.lengthOf(yield* problems(path, { ALLOW_READABLE_ENV: "0" }), 1)
      const own = yield* file("ALLOW_READABLE_ENV=1\n", 0o644)
      assert.deepStrictEqual(yield* problems(own.path), [])
    })
  )

  it("needs none", () => assert.deepStrictEqual(DotEnv.problems("/nowhere/.env", {}), []))

  it.effect("says when it cannot be read", () =>
    Effect.gen(function* () {
      const { folder } = yield* file("", 0o600)
      assert.match((yield* problems(folder)).join(), /EISDIR|can be read by others/)
    })
  )
})
