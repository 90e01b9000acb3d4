import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PeopleFile from "../../src/layers/process/PeopleFile.ts"
import { People } from "../../src/services/People.ts"

const secret = Redacted.make
/** The file and those in it, for as long as the scope lives. */
const inFile = <A, E>(use: (path: string) => Effect.Effect<A, E, People>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "model-generator-people-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const path = join(folder, "users")
      return yield* use(path).pipe(Effect.provide(PeopleFile.layer(path)))
    })
  )

describe("the file of those who may sign in", () => {
  it.live("knows a person by the password, and keeps none", () =>
    inFile((path) =>
      Effect.gen(function* () {
        const { find, list, put, verify } = yield* People
        assert.deepStrictEqual(yield* list, [])
        yield* put({ name: "anna", role: "curator" }, secret("Pässword one"))
        yield* put({ name: "olga", role: "operator" }, secret("Pässword one"))
        assert.deepStrictEqual(
          yield* verify("anna", secret("Pässword one")),
          Option.some({ name: "anna", role: "curator" as const })
        )
        // The same password as another keyboard types it.
        assert.isTrue(Option.isSome(yield* verify("anna", secret("Pa\u0308ssword one"))))
        for (const wrong of ["", "pässword one", "Pässword one "])
          assert.isTrue(Option.isNone(yield* verify("anna", secret(wrong))))
        assert.isTrue(Option.isNone(yield* verify("nobody", secret("Pässword one"))))
        const text = readFileSync(path, "utf8")
        assert.notInclude(text, "ssword")
        const [one, other] = text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as Record<string, string>)
        assert.notStrictEqual(one!["scrypt"], other!["scrypt"]) // each has a salt of its own
        assert.strictEqual(statSync(path).mode & 0o777, 0o600)
        assert.deepStrictEqual(yield* find("olga"), Option.some({ name: "olga", role: "operator" as const }))
      })
    )
  )

  it.live("gives a person another role and password, and lets one go", () =>
    inFile(() =>
      Effect.gen(function* () {
        const { list, put, remove, verify } = yield* People
        yield* put({ name: "anna", role: "viewer" }, secret("the first one"))
        yield* put({ name: "anna", role: "operator" }, secret("the second one"))
        assert.deepStrictEqual(yield* list, [{ name: "anna", role: "operator" }])
        assert.isTrue(Option.isNone(yield* verify("anna", secret("the first one"))))
        assert.isTrue(yield* remove("anna"))
        assert.isFalse(yield* remove("anna"))
        assert.isTrue(Option.isNone(yield* verify("anna", secret("the second one"))))
      })
    )
  )

  it.live("is not used when others can read it, or when it has something else in it, and says where", () =>
    inFile((path) =>
      Effect.gen(function* () {
        const { list, put } = yield* People
        yield* put({ name: "anna", role: "viewer" }, secret("a password"))
        chmodSync(path, 0o640)
        assert.include((yield* Effect.flip(list)).message, `chmod 600 ${path}`)
        chmodSync(path, 0o600)
        assert.lengthOf(yield* list, 1)
        writeFileSync(path, `${readFileSync(path, "utf8")}\n{"name":"ben","role":"king"}\n`)
        assert.include((yield* Effect.flip(list)).message, "line 3 is not a person of ours")
        assert.notInclude((yield* Effect.flip(list)).message, "king")
      })
    )
  )
})
