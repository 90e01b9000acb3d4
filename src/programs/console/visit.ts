import { ByteSize, Effect, Option, Schema } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, HttpServerResponse, UrlParams } from "effect/http"
import type { Person, Role } from "../../services/People.ts"
import { explain } from "../explain.ts"
import { Door, isOurs, may } from "./Door.ts"
import { type Content, document, fragment, type Html, html, query } from "./html.ts"
import { notice, type Page, shell } from "./shell.ts"

/** A person at an address. */
export interface Visit {
  readonly person: Person
  readonly request: HttpServerRequest.HttpServerRequest
  readonly path: string
  readonly query: URLSearchParams
}
/** What a form says; several values of one name have blanks between them. */
export type Form = Readonly<Record<string, string | undefined>>

/** No form of ours is longer. */
const LARGEST_FORM = ByteSize.kibibytes(64)

/** The answer is no, in words for a person. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { status: Schema.Int, says: Schema.String }) {}
export const refuse = (status: number, says: string) => Effect.fail(new Refused({ status, says }))

export const respond = (content: Html, status = 200) =>
  HttpServerResponse.text(document(content), { status, contentType: "text/html; charset=utf-8" })
/** A part of a page, for the script. */
export const part = (content: Html) => HttpServerResponse.text(fragment(content), { contentType: "text/html; charset=utf-8" })
export const goTo = (address: string) => HttpServerResponse.redirect(address, { status: 303 })

export const wantsJson = ({ headers }: HttpServerRequest.HttpServerRequest) => headers["accept"] === "application/json"

const urlOf = ({ url }: HttpServerRequest.HttpServerRequest) => new URL(url, "http://console")

/** What went wrong, as the page or as the script reads it. */
const told = (request: HttpServerRequest.HttpServerRequest, person: Person | undefined, status: number, says: string) =>
  wantsJson(request)
    ? HttpServerResponse.jsonUnsafe({ says }, { status })
    : respond(
        shell(person, {
          title: "That did not work",
          here: "",
          body: html`<h1>That did not work</h1>
            ${notice("bad", says)}`
        }),
        status
      )

/** Every failure has its page; a defect is a bug of ours: it is logged, and its page says no more than that. */
const explained =
  (request: HttpServerRequest.HttpServerRequest, person: Person | undefined) =>
  <E, R>(answer: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    answer.pipe(
      Effect.catch((error) =>
        Effect.succeed(
          error instanceof Refused ? told(request, person, error.status, error.says) : told(request, person, 503, explain(error))
        )
      ),
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError("a defect in the console", defect),
          told(request, person, 500, "This is a defect of the console: its log says more.")
        )
      )
    )

const lacking = (needed: Role) => `This needs the role ${needed}. An operator can give it: model-generator console user add.`

/** Lets in whoever may, and answers everybody. */
const admitted = <E, R>(needed: Role, answer: (visit: Visit) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const door = yield* Door
    const url = urlOf(request)
    return yield* explained(
      request,
      undefined
    )(
      Effect.gen(function* () {
        const person = Option.getOrUndefined(yield* door.personOf(request))
        if (person === undefined) {
          if (request.method !== "GET" || wantsJson(request)) return told(request, undefined, 401, "Please sign in.")
          return goTo(`/sign-in${query({ to: url.pathname === "/" ? "" : url.pathname + url.search })}`)
        }
        const visit: Visit = { person, request, path: url.pathname, query: url.searchParams }
        return yield* explained(
          request,
          person
        )(may(person, needed) ? answer(visit) : Effect.succeed(told(request, person, 403, lacking(needed))))
      })
    )
  })

/** Something to look at. */
export const look = <E, R>(
  path: HttpRouter.PathInput,
  needed: Role,
  answer: (visit: Visit) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) => HttpRouter.add("GET", path, admitted(needed, answer))

/** A page. */
export const page = <E, R>(path: HttpRouter.PathInput, needed: Role, show: (visit: Visit) => Effect.Effect<Page, E, R>) =>
  look(path, needed, (visit) => Effect.map(show(visit), (page) => respond(shell(visit.person, page))))

export const formOf = (request: HttpServerRequest.HttpServerRequest) =>
  request.urlParamsBody.pipe(
    Effect.mapError(() => new Refused({ status: 400, says: "This is no form of ours." })),
    Effect.map((params): Form =>
      Object.fromEntries(Object.entries(UrlParams.toRecord(params)).map(([key, value]) => [key, [value].flat().join(" ")]))
    ),
    Effect.provideService(HttpIncomingMessage.MaxBodySize, LARGEST_FORM)
  )

/** Something to do. It is heard from a page of ours, and from nowhere else. */
export const act = <E, R>(
  path: HttpRouter.PathInput,
  needed: Role,
  run: (visit: Visit, form: Form) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) =>
  HttpRouter.add(
    "POST",
    path,
    admitted(needed, (visit) =>
      isOurs(visit.request)
        ? Effect.flatMap(formOf(visit.request), (form) => run(visit, form))
        : refuse(403, "This did not come from a page of the console.")
    )
  )

/** Asks once more, on a page of its own, before anything is done that costs money or cannot be taken back. */
export const confirm = (
  { path, person }: Visit,
  here: string,
  title: string,
  says: Content,
  fields: Readonly<Record<string, string>>
) =>
  respond(
    shell(person, {
      title,
      here,
      body: html`<h1>${title}</h1>
        <form class="card" method="post" action="${path}">
          <p>${says}</p>
          ${Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)}
          <input type="hidden" name="sure" value="1" />
          <button class="primary">${title}</button> <a class="button" href="${here}">Rather not</a>
        </form>`
    })
  )

export const notFound = HttpRouter.add(
  "*",
  "/*",
  admitted("viewer", () => refuse(404, "There is no such page."))
)

/** A part of an address, as the route names it. */
export const parameter = (name: string) => Effect.map(HttpRouter.params, (all) => all[name] ?? "")

export const none = html``
