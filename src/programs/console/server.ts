import { Effect, Layer, Option } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Audit } from "../../services/Audit.ts"
import type { Budget } from "../../services/Budget.ts"
import type { Ledger } from "../../services/Ledger.ts"
import type { Catalogue } from "../../services/Catalogue.ts"
import { MediaStore } from "../../services/MediaStore.ts"
import type { ModelLibrary } from "../../services/ModelLibrary.ts"
import type { Publisher } from "../../services/Publisher.ts"
import type { QueueInspector } from "../../services/QueueInspector.ts"
import type { Reviews } from "../../services/Reviews.ts"
import * as Settings from "../../services/Settings.ts"
import * as Assets from "./assets.ts"
import { route as audit } from "./auditPage.ts"
import type { World as Survey } from "../commands/survey.ts"
import type { World as Why } from "../commands/why.ts"
import { route as events } from "./events.ts"
import * as Health from "./healthPage.ts"
import { routes as library } from "./library.ts"
import { routes as matrix } from "./matrix.ts"
import { routes as money } from "./moneyPage.ts"
import { route as media } from "./picture.ts"
import { routes as review } from "./review.ts"
import { routes as signIn } from "./signIn.ts"
import { routes as tasks } from "./taskPage.ts"
import { routes as dead } from "./deadPage.ts"
import { routes as work } from "./work.ts"
import { goTo, look, notFound } from "./visit.ts"

/** Where rows have their pictures while there is no media store. */
const FAL = ["https://*.fal.media", "https://fal.media", "https://*.fal.ai", "https://*.fal.run"]

/** The one place outside from which a page may load anything: pictures. */
const pictureOrigins = Effect.gen(function* () {
  const store = yield* MediaStore
  const { FAL_BASE_URL } = yield* Settings.of("FAL_BASE_URL")
  const addresses = [
    ...(store.kind === "unset" ? [] : [store.addressOf("")]),
    ...Option.toArray(FAL_BASE_URL) // a simulator has its pictures too
  ]
  const origins = addresses.flatMap((address) => {
    const url = URL.parse(address)
    return url !== null && /^https?:$/.test(url.protocol) ? [url.origin] : []
  })
  return [...FAL, ...origins].join(" ")
})

/** On every answer, whatever it is. */
const headers = Effect.map(pictureOrigins, (pictures) => ({
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' data: ${pictures}`,
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  // Not `no-referrer`: with it a form would be sent without its origin.
  "referrer-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin"
}))

const guarded = HttpRouter.middleware(
  Effect.map(
    Effect.orDie(headers), // a command checks its settings before it starts
    (headers) => (answer) =>
      Effect.map(answer, (response) =>
        HttpServerResponse.setHeaders(response, {
          ...headers,
          "cache-control": response.headers["cache-control"] ?? "no-store"
        })
      )
  ),
  { global: true }
)

const home = look("/", "viewer", () => Effect.succeed(goTo("/library")))

/** Everything that the console answers. */
const routes = (pending: Health.Pending) =>
  Layer.mergeAll(
    Assets.routes,
    signIn,
    home,
    library,
    review,
    matrix,
    work,
    tasks,
    dead,
    money,
    media,
    audit,
    Health.route(pending),
    events,
    notFound,
    guarded
  )

/** What the pages are about. */
export type Needs =
  | Reviews
  | Audit
  | Budget
  | ModelLibrary
  | Ledger
  | MediaStore
  | Publisher
  | QueueInspector
  | Catalogue
  | Why
  | Survey

export const serve = (pending: Health.Pending) =>
  HttpRouter.serve(routes(pending), { disableLogger: true, disableListenLog: true })
