import { Effect, Layer, Option } from "effect"
import { type Booked, costOf, Ledger, sourceOf } from "../../services/Ledger.ts"
import { ModelLibrary } from "../../services/ModelLibrary.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"
import { mayAct } from "../../services/People.ts"
import { anything, type Decision, type Reviewed, Reviews } from "../../services/Reviews.ts"
import { decisionForm } from "./decisions.ts"
import * as Filter from "./filter.ts"
import { html } from "./html.ts"
import { aboutOf, type Addresses, addresses, badge, image, titleOf } from "./picture.ts"
import { breakable, facts, minute, notice } from "./shell.ts"
import { page, parameter, refuse } from "./visit.ts"

const PAGE = 60
/** More versions of one template are not laid side by side. */
const MOST_VERSIONS = 60

const card = (address: Addresses, row: Reviewed, at: number) =>
  html`<li data-key="${row.id}">
    <a href="/pictures/${row.id}">
      ${image(row, address(row.thumbnailUrl ?? row.imageUrl), { lazy: at >= 12 })} ${badge(row.decision)}
      <span class="title">${titleOf(row)}</span>
      <span class="soft">${aboutOf(row)}</span>
      <span class="soft">version ${row.version} · ${new Date(row.createdAt).toISOString().slice(0, 10)}</span>
    </a>
  </li>`

/** The newest pictures that the address asks for, a page at a time. */
const grid = page("/library", "viewer", ({ query }) =>
  Effect.gen(function* () {
    const reviews = yield* Reviews
    const address = yield* addresses
    const after = query.get("after")
    const rows = yield* reviews.list(Filter.filterOf(query), after === "" ? null : after, PAGE + 1)
    const shown = rows.slice(0, PAGE)
    const last = shown.at(-1)
    return {
      title: "Library",
      here: "/library",
      wide: true,
      live: { about: ["library"], every: 1000 },
      body: html`<h1>Library</h1>
        ${Filter.form("/library", query, true)}
        ${
          shown.length === 0
            ? notice("note", after === null ? "There is no such picture." : "There are no more.")
            : html`<ul class="grid">
                ${shown.map((row, at) => card(address, row, at))}
              </ul>`
        }
        <nav class="pages" aria-label="Pages">
          ${after !== null && html`<a href="${Filter.addressOf("/library", query)}">Newest</a>`}
          ${rows.length > PAGE && last !== undefined && html`<a rel="next" href="${Filter.addressOf("/library", query, { after: last.cursor })}">Older</a>`}
        </nav>`
    }
  })
)

const said = ({ at, reason, verdict, who }: Decision) =>
  html`<li>${minute(at)} <strong>${verdict}</strong> by ${who}${reason !== null && html`: ${reason}`}</li>`

const text = (value: unknown) => (typeof value === "string" || typeof value === "number" ? String(value) : null)

/** Where a figure comes from. Without a word of fal's it is an estimate. */
const SOURCES: Readonly<Record<string, string>> = { units: "by the units that fal charged", billed: "as fal has billed it" }
const sourced = (usd: string, source: unknown) =>
  `$${usd} (${typeof source === "string" ? (SOURCES[source] ?? "an estimate") : "an estimate"})`

const costs = ({ metadata }: Reviewed) => {
  const cost = metadata?.["cost_usd"]
  return typeof cost === "number" ? sourced(String(cost), metadata?.["cost_source"]) : null
}
const priceOf = (row: Booked) => {
  const cost = costOf(row)
  return cost === null ? "an unknown price" : sourced(NanoDollars.format(cost), sourceOf(row))
}

const version = (address: Addresses, row: Reviewed, current: string) =>
  html`<li${row.id === current && html` class="current"`}>
  <a href="/pictures/${row.id}"${row.id === current && html` aria-current="true"`}>
    ${image(row, address(row.thumbnailUrl ?? row.imageUrl), { lazy: true })}
    ${badge(row.decision)}
    <span class="title">version ${row.version}</span>
    <span class="soft">${new Date(row.createdAt).toISOString().slice(0, 10)}</span>
  </a></li>`

/** One picture: how it was made, what was decided, and its template's other versions beside it. */
const one = page("/pictures/:id", "viewer", ({ person, query }) =>
  Effect.gen(function* () {
    const id = yield* parameter("id")
    const reviews = yield* Reviews
    const library = yield* ModelLibrary
    const ledger = yield* Ledger
    const found = yield* library.find({ id })
    if (Option.isNone(found)) return yield* refuse(404, "There is no such picture.")
    const { templateId } = found.value
    const versions = yield* reviews.list({ ...anything, templateId }, null, MOST_VERSIONS)
    const row =
      versions.find((version) => version.id === found.value.id) ??
      (yield* reviews.list({ ...anything, templateId, version: found.value.version }, null, 1))[0]
    if (row === undefined) return yield* refuse(404, "There is no such picture.")
    const paid = row.falRequestId === null ? [] : yield* ledger.ofRequest(row.falRequestId)
    const history = yield* reviews.ofModel(row.id)
    const address = yield* addresses
    const source = row.metadata?.["edited_from"]
    const sourceId = typeof source === "object" && source !== null && "id" in source ? text(source["id"]) : null
    const whole = address(row.imageUrl)
    return {
      title: titleOf(row),
      here: "/library",
      wide: true,
      body: html`<h1>${titleOf(row)} <small>${aboutOf(row)}</small></h1>
        ${query.get("overtaken") !== null && notice("bad", "Somebody else has decided on this picture meanwhile, so nothing was changed. What holds now is below.")}
        <div class="one">
          <figure class="whole">${image(row, whole, { lazy: false })}</figure>
          <section aria-label="About this picture">
            ${badge(row.decision) || html`<span class="badge">undecided</span>`}
            ${mayAct(person.role, "curator") && decisionForm(row, `/pictures/${row.id}`)}
            ${facts([
              [
                "Template",
                html`<a href="${Filter.addressOf("/library", new URLSearchParams({ template: templateId }))}"
                    >${breakable(templateId)}</a
                  >, version ${row.version}`
              ],
              ["Prompt", row.prompt],
              ["Seed", text(row.metadata?.["seed"])],
              ["Edited from", sourceId === null ? null : html`<a href="/pictures/${sourceId}">another picture</a>`],
              ["Model", paid[0]?.model],
              ["Cost", paid.length === 0 ? costs(row) : paid.map((one, at) => html`${at > 0 && html`, `}${priceOf(one)}`)],
              ["Asked by", paid[0]?.caller],
              [
                "Task",
                paid[0] === undefined ? null : html`<a href="/tasks/${encodeURIComponent(paid[0].taskId)}">${paid[0].taskId}</a>`
              ],
              ["fal request", row.falRequestId],
              ["Took", row.processingTimeMs === null ? null : `${(row.processingTimeMs / 1000).toFixed(1)} s`],
              ["Saved", minute(row.createdAt)],
              [
                "Size",
                text(row.metadata?.["width"]) === null
                  ? null
                  : `${text(row.metadata?.["width"])} × ${text(row.metadata?.["height"])}`
              ],
              ["File", whole === undefined ? row.imageUrl : html`<a href="${whole}">open the whole picture</a>`],
              ["Id", row.id]
            ])}
            ${
              history.length > 0 &&
              html`<h2>Decisions</h2>
                <ol class="history">
                  ${history.map(said)}
                </ol>`
            }
          </section>
        </div>
        <h2>${versions.length === 1 ? "The only version" : `All ${versions.length === MOST_VERSIONS ? "new " : ""}versions`}</h2>
        <ul class="grid versions">
          ${versions.map((version_) => version(address, version_, row.id))}
        </ul>`
    }
  })
)

export const routes = Layer.mergeAll(grid, one)
