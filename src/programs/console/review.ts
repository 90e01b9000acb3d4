import { Effect, Layer } from "effect"
import { type Reviewed, Reviews } from "../../services/Reviews.ts"
import { decisionForm, REASONS, route as decisions } from "./decisions.ts"
import * as Filter from "./filter.ts"
import { html } from "./html.ts"
import { aboutOf, type Addresses, addresses, image, titleOf } from "./picture.ts"
import { breakable, notice } from "./shell.ts"
import { stacks } from "./stacks.ts"
import { look, page, part, type Visit } from "./visit.ts"

/** So many pictures are brought at once. */
const PART = 40

/** The newest pictures that nobody has decided on, or those of the verdict that the address names. */
const some = Effect.fnUntraced(function* (query: URLSearchParams) {
  const reviews = yield* Reviews
  const filter = Filter.filterOf(query)
  const after = query.get("after")
  const rows = yield* reviews.list({ ...filter, verdict: filter.verdict ?? "undecided" }, after === "" ? null : after, PART)
  return { rows, more: rows.length < PART ? undefined : rows.at(-1)?.cursor }
})

const keyed = ([key, does]: readonly [string, string]) =>
  html`<div>
    <dt><kbd>${key}</kbd></dt>
    <dd>${does}</dd>
  </div>`
const KEYS = [
  ["A", "approve; of pictures that look alike, this one, and reject the others"],
  ["X", "reject"],
  ["1 to 9", "reject for the reason with this number"],
  ["M", "reject, and have another one made"],
  ["U", "take back the last decision"],
  ["← →", "look at the one before or after"],
  ["↑ ↓", "look through those that look alike"],
  ["Enter", "open all about this one"],
  ["/", "search"],
  ["?", "these keys"]
] as const

const one = (address: Addresses, row: Reviewed, back: string, lazy: boolean) =>
  html`<section class="candidate" data-model="${row.id}" data-seen="${row.decision?.id}">
    <figure>${image(row, address(row.imageUrl), { lazy })}</figure>
    <div class="about">
      <h2>${titleOf(row)}</h2>
      <p class="soft">${aboutOf(row)}</p>
      <p><a class="open" href="/pictures/${row.id}">${breakable(row.templateId)}, version ${row.version}</a></p>
      <p class="prompt">${row.prompt}</p>
      ${decisionForm(row, back)}
    </div>
  </section>`

const card = (address: Addresses, stack: ReadonlyArray<Reviewed>, back: string, lazy: boolean) =>
  html`<li class="stack">
    ${stack.length > 1 && html`<p class="alike"><strong>${stack.length} look alike.</strong> Approve keeps the one you see and rejects the others; ↑ ↓ look through them.</p>`}
    ${stack.map((row) => one(address, row, back, lazy))}
  </li>`

const cards = Effect.fnUntraced(function* ({ query }: Visit) {
  const { more, rows } = yield* some(query)
  const address = yield* addresses
  const back = Filter.addressOf("/review", query)
  const first = query.get("after") === null
  return {
    rows,
    list: stacks(rows).map((stack, at) => card(address, stack, back, !first || at > 0)),
    more: more === undefined ? undefined : Filter.addressOf("/review/more", query, { after: more })
  }
})

const deck = page("/review", "curator", (visit) =>
  Effect.gen(function* () {
    const { list, more, rows } = yield* cards(visit)
    return {
      title: "Review",
      here: "/review",
      wide: true,
      body: html`<h1>Review</h1>
        ${Filter.form("/review", visit.query, true)}
        <p class="progress" role="status" aria-live="polite"></p>
        ${rows.length === 0 && notice("good", "Nothing waits for a decision here.")}
        <ol class="deck" data-more="${more}" data-looks-like-another="${REASONS[8]}">
          ${list}
        </ol>
        <p class="done notice good" hidden>
          Nothing more waits for a decision here. <a href="${Filter.addressOf("/review", visit.query)}">Look again</a>
        </p>
        <p class="keys">
          <button type="button" class="quiet" data-help hidden><kbd>?</kbd> Keys</button>
        </p>
        <dialog class="help" aria-labelledby="help-title">
          <h2 id="help-title">Keys</h2>
          <dl class="facts">${KEYS.map(keyed)}</dl>
          <form method="dialog"><button>Close</button></form>
        </dialog>`
    }
  })
)

/** What comes after, for the script. */
const more = look("/review/more", "curator", (visit) =>
  Effect.map(cards(visit), ({ list, more }) =>
    part(
      html`<ol data-more="${more}">
        ${list}
      </ol>`
    )
  )
)

export const routes = Layer.mergeAll(deck, more, decisions)
