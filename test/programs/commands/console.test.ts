import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:net"
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { describeWith, freshDatabase, freshRedis } from "../../servers/index.ts"
import { freePort } from "../../servers/Process.ts"
import { eventually } from "../../support.ts"
import { program } from "./program.ts"

const { folder, run, start } = program()
const PASSWORD = "a long password"
let files = 0
const aFile = () => join(folder, `users-${++files}`)

describe("console", () => {
  it.live("does not start where nobody could get in, or everybody, and says in one line what is missing", () =>
    Effect.gen(function* () {
      const CONSOLE_USERS = aFile()
      const refused = [
        [{}, 1, /^model-generator: the console is closed: name those who may sign in \(CONSOLE_USERS, .*\n$/],
        [{ CONSOLE_USERS }, 1, /^model-generator: nobody may sign in yet .*console user add NAME --role operator\n$/],
        [{ CONSOLE_PROXY_HEADER: "Remote-User" }, 2, /^model-generator: CONSOLE_PROXY_HEADER without CONSOLE_PROXY_ADDRESS .*\n$/]
      ] as const
      for (const [env, code, says] of refused) {
        const ended = yield* run(["console"], env)
        assert.strictEqual(ended.code, code, ended.stderr)
        assert.match(ended.stderr, says)
      }
      const wrong = yield* run(["console"], { CONSOLE_USERS: "users", CONSOLE_PROXY_ADDRESS: "proxy", CONSOLE_PORT: "0" })
      assert.strictEqual(wrong.code, 2)
      for (const name of ["CONSOLE_USERS", "CONSOLE_PROXY_ADDRESS"]) assert.include(wrong.stderr, `${name} expects`)
    })
  )

  it.live(
    "user adds, lists and removes those who may sign in; a password is never an argument, nor kept",
    () =>
      Effect.gen(function* () {
        const env = { CONSOLE_USERS: aFile() }
        const add = (name: string, role: string, password: string) =>
          run(["console", "user", "add", name, "--role", role], env, `${password}\n`)
        assert.strictEqual((yield* add("anna", "curator", PASSWORD)).stdout, "anna may sign in as curator\n")
        assert.strictEqual((yield* add("olga", "operator", PASSWORD)).code, 0)
        assert.match((yield* add("anna", "viewer", PASSWORD)).stdout, /^anna is viewer now/)
        assert.strictEqual(
          (yield* add("ben", "viewer", "short")).stderr,
          "model-generator: a password has 10 characters or more\n"
        )
        assert.strictEqual((yield* add("<b>", "viewer", PASSWORD)).code, 2)
        assert.deepStrictEqual(JSON.parse((yield* run(["console", "user", "list", "--json"], env)).stdout), [
          { name: "olga", role: "operator" },
          { name: "anna", role: "viewer" }
        ])
        assert.strictEqual(statSync(env.CONSOLE_USERS).mode & 0o777, 0o600)
        assert.notInclude(readFileSync(env.CONSOLE_USERS, "utf8"), PASSWORD)
        assert.strictEqual((yield* run(["console", "user", "remove", "anna"], env)).code, 0)
        assert.strictEqual(
          (yield* run(["console", "user", "remove", "anna"], env)).stderr,
          "model-generator: nobody is called anna\n"
        )
        assert.include(
          (yield* run(["console", "user", "add", "x", "--role", "viewer"], {}, PASSWORD)).stderr,
          "CONSOLE_USERS is not set"
        )
      }),
    60_000
  )
})

describeWith(["redis", "postgres"], "console with its servers", ({ postgres, redis }) => {
  it.live(
    "serves the library until it is stopped, and says when its port is taken",
    () =>
      Effect.gen(function* () {
        const [broker, database] = [yield* freshRedis(redis), yield* freshDatabase(postgres)]
        const port = yield* Effect.promise(freePort)
        const env = {
          CELERY_BROKER_URL: broker.url,
          FAL_KEY: "id:secret",
          CELERY_RESULT_BACKEND: broker.url,
          DATABASE_URL: database.url,
          CONSOLE_USERS: aFile(),
          CONSOLE_PORT: String(port)
        }
        assert.strictEqual((yield* run(["migrate"], env)).code, 0)
        assert.strictEqual((yield* run(["console", "user", "add", "anna", "--role", "curator"], env, PASSWORD)).code, 0)
        const { child, ended, out } = yield* start(["console"], env)
        yield* eventually(
          "ready",
          Effect.sync(() => out.stderr),
          (text) => text.includes(`"address":"http://127.0.0.1:${port}"`),
          30
        )

        const base = `http://127.0.0.1:${port}`
        const ask = (path: string, init: RequestInit = {}) =>
          Effect.promise(() => fetch(base + path, { redirect: "manual", ...init }))
        const signedIn = yield* ask("/sign-in", {
          method: "POST",
          body: new URLSearchParams({ name: "anna", password: PASSWORD }),
          headers: { origin: base }
        })
        const headers = { cookie: signedIn.headers.getSetCookie()[0]!.split(";")[0]! }
        const page = yield* ask("/review", { headers })
        const text = yield* Effect.promise(() => page.text())
        assert.strictEqual(page.status, 200)
        assert.include(text, "Nothing waits for a decision here")
        // The script and the style are those of the bundle.
        for (const [, path] of text.matchAll(/(?:src|href)="(\/[\da-f]{12}-[^"]+)"/g)) {
          const file = yield* ask(path!)
          assert.strictEqual(file.status, 200)
          assert.isAbove((yield* Effect.promise(() => file.text())).length, 1000)
        }

        // What fills the gaps, of which one is on its way.
        const plan = (...args: ReadonlyArray<string>) =>
          Effect.map(run(["batch", "--fill", ...args], { ...env, LIBRARY_TARGET: "1" }), ({ code, stderr, stdout }) => ({
            code,
            stderr,
            stdout
          }))
        const FIVE = ["--gender", "female", "--age-range", "20-30", "--body-type", "slim", "--pose", "side", "--style", "casual"]
        assert.strictEqual((yield* run(["generate", ...FIVE, "--no-wait"], env)).code, 0)
        const { count, models } = JSON.parse((yield* plan("--gender", "female", "--dry-run", "--json")).stdout)
        assert.strictEqual(count, 143)
        assert.notInclude(JSON.stringify(models), "female_20-30_slim_side_casual")
        assert.match((yield* plan("--budget", "0.05", "--dry-run")).stdout, /\n2 pictures, about \$0\.05: /)
        assert.include((yield* plan("--budget", "3 dollars")).stderr, "--budget expects US dollars")

        const taken = yield* Effect.promise(freePort)
        const other = createServer().listen(taken, "127.0.0.1")
        const second = yield* run(["console"], { ...env, CONSOLE_PORT: String(taken) })
        other.close()
        assert.strictEqual(second.code, 1)
        assert.match(second.stderr, /the console cannot listen \(.*EADDRINUSE.*\): look at CONSOLE_HOST and CONSOLE_PORT\n$/)

        child.kill("SIGTERM")
        assert.strictEqual((yield* Effect.promise(() => ended)).code, 0)
      }),
    60_000
  )
})
