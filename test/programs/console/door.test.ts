import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { randomUUID } from "node:crypto"
import { Audit } from "../../../src/services/Audit.ts"
import { ModelLibrary } from "../../../src/services/ModelLibrary.ts"
import { People } from "../../../src/services/People.ts"
import { Reviews } from "../../../src/services/Reviews.ts"
import { aModel } from "../../contracts/modelLibrary.ts"
import { timed } from "../../support.ts"
import { console_ } from "./stage.ts"
import { visitor } from "./visiting.ts"

const served = console_()
const at = (test: Effect.Effect<void, unknown, Layer.Success<typeof served>>, env?: Readonly<Record<string, string>>) =>
  Effect.scoped(Effect.provide(test, console_(env)))

const pages = [
  "/",
  "/library",
  "/review",
  "/review/more",
  "/audit",
  `/pictures/${randomUUID()}`,
  `/media/${"0".repeat(64)}.jpg`,
  "/nowhere"
]

describe("the console's door", () => {
  it.live("shows nothing to whoever has not signed in, and leads back to where they wanted to go", () =>
    at(
      Effect.gen(function* () {
        const { ask, post, signIn } = yield* visitor
        for (const page of pages) {
          const reply = yield* ask(page)
          assert.deepStrictEqual([page, reply.status, reply.text], [page, 303, ""])
          assert.match(reply.headers.get("location")!, /^\/sign-in/)
        }
        assert.strictEqual((yield* post("/review", { model: randomUUID() })).status, 401)
        const wanted = (yield* ask("/library?q=a%20b")).headers.get("location")!
        assert.strictEqual(wanted, "/sign-in?to=%2Flibrary%3Fq%3Da%2520b")
        assert.include((yield* ask(wanted)).text, 'value="/library?q=a%20b"')
        for (const other of ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"])
          assert.include((yield* ask(`/sign-in?to=${encodeURIComponent(other)}`)).text, 'name="to" value="/library"')
        assert.strictEqual((yield* signIn("anna")).status, 303)
        assert.strictEqual((yield* ask("/library")).status, 200)
      })
    )
  )

  it.live("keeps a session in a cookie that no script and no other site can use, until it is ended", () =>
    at(
      Effect.gen(function* () {
        const { ask, cookie, post, signIn } = yield* visitor
        const reply = yield* signIn("vera")
        const set = reply.headers.getSetCookie()[0]!
        assert.match(set, /^console_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
        const before = cookie()
        assert.strictEqual((yield* post("/sign-out", {})).status, 303)
        assert.strictEqual((yield* ask("/library", { headers: { cookie: before } })).status, 303)
      })
    )
  )

  it.live("is closed at once to whoever is taken out of the file", () =>
    at(
      Effect.gen(function* () {
        const { ask, signIn } = yield* visitor
        const people = yield* People
        yield* signIn("anna")
        yield* people.put({ name: "anna", role: "viewer" }, Redacted.make("another one"))
        assert.strictEqual((yield* ask("/review")).status, 403)
        yield* people.remove("anna")
        assert.strictEqual((yield* ask("/library")).status, 303)
      })
    )
  )

  it.live(
    "slows down whoever fails, and not for ever: the right password is not even looked at meanwhile",
    () =>
      at(
        Effect.gen(function* () {
          const { signIn } = yield* visitor
          for (let n = 0; n < 3; n++) assert.strictEqual((yield* signIn("anna", "wrong")).status, 401)
          const slowed = yield* signIn("anna")
          assert.strictEqual(slowed.status, 429)
          assert.strictEqual(slowed.headers.get("retry-after"), "1")
          yield* Effect.sleep("1100 millis")
          assert.strictEqual((yield* signIn("anna")).status, 303)
          assert.strictEqual((yield* signIn("ben", "wrong")).status, 401)
        })
      ),
    timed()
  )

  it.live("lets nobody do what their role does not allow, and shows them no way to it", () =>
    at(
      Effect.gen(function* () {
        const reviews = yield* Reviews
        const { id } = yield* (yield* ModelLibrary).save(aModel())
        const decide = { id: randomUUID(), model: id, seen: "", verdict: "approved" }
        const allowed = { vera: ["/library"], anna: ["/library", "/review"], olga: ["/library", "/review", "/audit"] }
        for (const [name, mine] of Object.entries(allowed)) {
          const { ask, post, signIn } = yield* visitor
          yield* signIn(name)
          const { text } = yield* ask("/library")
          for (const page of allowed.olga) {
            assert.strictEqual((yield* ask(page)).status, mine.includes(page) ? 200 : 403, `${name} at ${page}`)
            assert.strictEqual(text.includes(`href="${page}"`), mine.includes(page))
          }
          if (name !== "vera") continue
          assert.strictEqual((yield* post("/review", decide)).status, 403)
          assert.notInclude((yield* ask(`/pictures/${id}`)).text, 'value="approved"')
          assert.deepStrictEqual(yield* reviews.ofModel(id), [])
        }
      })
    )
  )

  it.live("hears a write from its own pages, and from nowhere else", () =>
    at(
      Effect.gen(function* () {
        const { base, post, signIn } = yield* visitor
        const reviews = yield* Reviews
        const { id } = yield* (yield* ModelLibrary).save(aModel())
        yield* signIn("anna")
        const decision = { id: randomUUID(), model: id, seen: "", verdict: "approved" }
        const host = new URL(base).host
        for (const headers of [
          {},
          { "sec-fetch-site": "cross-site" },
          { "sec-fetch-site": "same-site" },
          { "sec-fetch-site": "none" },
          { origin: "http://evil.example" },
          { origin: "null" },
          { origin: `http://${host}`, "sec-fetch-site": "cross-site" }
        ]) {
          assert.strictEqual((yield* post("/review", decision, headers)).status, 403)
          assert.strictEqual((yield* post("/sign-out", {}, headers)).status, 403)
          assert.strictEqual((yield* post("/sign-in", { name: "ben", password: "x" }, headers)).status, 403)
        }
        assert.deepStrictEqual(yield* reviews.ofModel(id), [])
        // As a browser sends it on plain HTTP.
        assert.strictEqual((yield* post("/review", decision, { origin: `http://${host}` })).status, 303)
        assert.lengthOf(yield* reviews.ofModel(id), 1)
      })
    )
  )

  it.live("forbids on every answer what no page of ours needs", () =>
    at(
      Effect.gen(function* () {
        const { ask, post, signIn } = yield* visitor
        const replies = [yield* ask("/sign-in"), yield* ask("/library"), yield* signIn("anna"), yield* ask("/library")]
        replies.push(yield* ask("/nowhere"), yield* ask("/audit"), yield* post("/review", {}), yield* ask("/icon.svg"))
        assert.deepStrictEqual(
          replies.map(({ status }) => status),
          [200, 303, 303, 200, 404, 403, 400, 200]
        )
        for (const { headers } of replies) {
          const policy = headers.get("content-security-policy")!
          assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /)
          assert.notMatch(policy, /unsafe|\*(?!\.fal\.)/)
          assert.include(policy, "frame-ancestors 'none'")
          assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
          assert.match(headers.get("cache-control")!, /^no-store$|^public/)
        }
      })
    )
  )

  it.live("writes down who came, who went and what they did", () =>
    at(
      Effect.gen(function* () {
        const { ask, post, signIn } = yield* visitor
        const { id } = yield* (yield* ModelLibrary).save(aModel())
        yield* signIn("olga")
        yield* post("/review", { model: id, seen: "", because: "face" })
        yield* post("/sign-out", {})
        const entries = yield* (yield* Audit).list(null, 10)
        assert.deepStrictEqual(
          entries.map(({ action, who }) => [who, action]),
          [
            ["olga", "signed out"],
            ["olga", "rejected"],
            ["olga", "signed in"]
          ]
        )
        yield* signIn("olga")
        const { text } = yield* ask("/audit")
        assert.include(text, `<a href="/pictures/${id}">`)
        assert.include(text, "reason: face")
      })
    )
  )

  it.live("takes no file but those of the media store, and no form that is too long", () =>
    at(
      Effect.gen(function* () {
        const { ask, post, signIn } = yield* visitor
        yield* signIn("anna")
        for (const name of ["users", "..%2fusers", "%2e%2e/users", `${"0".repeat(64)}.jpg`, `${"0".repeat(64)}.html`])
          assert.strictEqual((yield* ask(`/media/${name}`)).status, 404)
        assert.strictEqual((yield* post("/review", { model: "x".repeat(100_000) })).status, 400)
        assert.strictEqual((yield* post("/review", { model: randomUUID(), seen: "", verdict: "approved" })).status, 404)
      })
    )
  )
})

describe("behind a proxy that says who somebody is", () => {
  const env = { CONSOLE_PROXY_HEADER: "Remote-User", CONSOLE_PROXY_ADDRESS: "127.0.0.1" }
  it.live("a name of the file has its role, and another the one of the settings", () =>
    at(
      Effect.gen(function* () {
        const { ask } = yield* visitor
        const as = (name: string, page: string) =>
          Effect.map(ask(page, { headers: { "remote-user": name } }), ({ status }) => status)
        assert.strictEqual(yield* as("olga", "/audit"), 200)
        assert.strictEqual(yield* as("stranger", "/review"), 200)
        assert.strictEqual(yield* as("stranger", "/audit"), 403)
        for (const name of ["", "a b", "x".repeat(65), "<b>"]) assert.strictEqual(yield* as(name, "/library"), 303)
      }),
      { ...env, CONSOLE_PROXY_ROLE: "curator" }
    )
  )
  it.live("nobody else is believed", () =>
    at(
      Effect.gen(function* () {
        const { ask } = yield* visitor
        assert.strictEqual((yield* ask("/library", { headers: { "remote-user": "olga" } })).status, 303)
      }),
      { ...env, CONSOLE_PROXY_ADDRESS: "10.1.0.4,::1" }
    )
  )
})
