import { Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Audit } from "../../services/Audit.ts"
import { explain } from "../explain.ts"
import { COOKIE, Door, isOurs } from "./Door.ts"
import { type Content, html } from "./html.ts"
import { notice, shell } from "./shell.ts"
import { act, formOf, goTo, respond } from "./visit.ts"

/** Only an address of ours: a sign-in must not lead to another site. */
const ours = (to: string | null | undefined) => (to !== null && to !== undefined && /^\/(?![/\\])/.test(to) ? to : "/library")

const form = (to: string, says: Content) =>
  shell(undefined, {
    title: "Sign in",
    here: "",
    body: html`<form class="card sign-in" method="post" action="/sign-in">
      <h1>Sign in</h1>
      ${says}
      <input type="hidden" name="to" value="${to}" />
      <label>Name <input name="name" autocomplete="username" autocapitalize="none" required autofocus /></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required /></label>
      <button class="primary">Sign in</button>
    </form>`
  })

const elsewhere = () =>
  shell(undefined, {
    title: "Sign in",
    here: "",
    body: html`<h1>Sign in</h1>
      ${notice("bad", "A proxy says here who somebody is, and it has not said so: come through the proxy.")}`
  })

const show = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const { asks } = yield* Door
  if (!asks) return respond(elsewhere(), 401)
  return respond(form(ours(new URL(request.url, "http://console").searchParams.get("to")), null))
})

const attempt = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const door = yield* Door
  const audit = yield* Audit
  if (!door.asks) return respond(elsewhere(), 401)
  if (!isOurs(request)) return respond(form("/library", notice("bad", "This did not come from a page of the console.")), 403)
  const { name = "", password = "", to } = yield* formOf(request)
  const target = ours(to)
  const outcome = yield* door.signIn(name, Redacted.make(password), request)
  if (outcome._tag === "Wait")
    return HttpServerResponse.setHeader(
      respond(form(target, notice("bad", `Too many failed attempts: try again in ${outcome.seconds} s.`)), 429),
      "retry-after",
      String(outcome.seconds)
    )
  if (outcome._tag === "Wrong") {
    yield* Effect.logWarning("a sign-in at the console failed", { name: name.slice(0, 64) })
    return respond(form(target, notice("bad", "This name and this password do not go together.")), 401)
  }
  // Without its row nobody is in: what a person does is always written down.
  yield* audit.record({ who: outcome.person.name, action: "signed in", subject: "", detail: { role: outcome.person.role } })
  return HttpServerResponse.setCookieUnsafe(goTo(target), COOKIE, outcome.token, {
    httpOnly: true,
    sameSite: "strict",
    path: "/",
    secure: request.headers["origin"]?.startsWith("https:") === true
  })
}).pipe(Effect.catch((error) => Effect.succeed(respond(form("/library", notice("bad", explain(error))), 503))))

export const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/sign-in", show),
  HttpRouter.add("POST", "/sign-in", attempt),
  act("/sign-out", "viewer", ({ person, request }) =>
    Effect.gen(function* () {
      const door = yield* Door
      const audit = yield* Audit
      yield* door.signOut(request)
      yield* audit.record({ who: person.name, action: "signed out", subject: "", detail: {} })
      return HttpServerResponse.expireCookieUnsafe(goTo("/sign-in"), COOKIE, { path: "/" })
    })
  )
)
