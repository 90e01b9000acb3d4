import { mayAct, type Person, type Role } from "../../services/People.ts"
import { VERSION } from "../version.ts"
import { script, styles } from "./assets.ts"
import type { Topic } from "./Changes.ts"
import { type Content, type Html, html, query } from "./html.ts"

/** What stands on a page, within what stands on every page. */
export interface Page {
  readonly title: string
  /** The place in the navigation that it belongs to; "" for none. */
  readonly here: string
  readonly body: Content
  /** Uses the whole width of the window. */
  readonly wide?: boolean
  /** It follows what happens to these, and is made anew at most this often (milliseconds). */
  readonly live?: { readonly about: ReadonlyArray<Topic>; readonly every: number }
}

const places: ReadonlyArray<readonly [address: string, name: string, needed: Role]> = [
  ["/library", "Library", "viewer"],
  ["/review", "Review", "curator"],
  ["/matrix", "Matrix", "viewer"],
  ["/work", "Work", "viewer"],
  ["/money", "Money", "viewer"],
  ["/health", "Health", "viewer"],
  ["/audit", "Audit", "operator"]
]

const navigation = (person: Person, here: string) =>
  html`<nav aria-label="Places">
      ${places
        .filter(([, , needed]) => mayAct(person.role, needed))
        .map(([address, name]) => html`<a href="${address}" ${address === here && html` aria-current="page"`}>${name}</a>`)}
    </nav>
    <form class="person" method="post" action="/sign-out">
      <span title="${person.role}">${person.name} <small>${person.role}</small></span>
      <button class="quiet">Sign out</button>
    </form>`

export const shell = (person: Person | undefined, { body, here, live, title, wide }: Page): Html =>
  html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · model-generator</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${styles.address}">
<script src="${script().address}" defer></script>
</head>
<body${person !== undefined && html` data-person="${person.name}"`}>
<a class="skip" href="#main">To the page</a>
<header>
<a class="brand" href="/library" aria-label="model-generator"><svg viewBox="0 0 24 24" aria-hidden="true"><rect x="3" y="2" width="18" height="20" rx="4"/><circle cx="12" cy="9" r="3"/><path d="M6 19c0-4 2.5-6 6-6s6 2 6 6"/></svg><span>model-generator</span></a>
${person !== undefined && navigation(person, here)}
</header>
<main id="main"${wide === true && html` class="wide"`}${live !== undefined && html` data-live="/events${query({ about: live.about })}" data-every="${live.every}"`}>
${body}
</main>
<footer>${live !== undefined && html`<span class="live" role="status"></span> `}model-generator ${VERSION}</footer>
</body>
</html>`

/** A message that stands out; `bad` is read aloud at once. */
export const notice = (kind: "good" | "bad" | "note", says: Content) =>
  html`<p class="notice ${kind}" role="${kind === "bad" ? "alert" : "status"}">${says}</p>`

export const minute = (at: number) => {
  const iso = new Date(at).toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`
}

/** Names and what they are. What is not known is left out. */
export const facts = (rows: ReadonlyArray<readonly [name: string, value: Content]>) =>
  html`<dl class="facts">
    ${rows
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`
      )}
  </dl>`

/** A few figures side by side, each under its name. */
export const figures = (rows: Parameters<typeof facts>[0]) => html`<div class="figures">${facts(rows)}</div>`

/**
 * `name` says to those who hear the page what it is a table of: no other on the page has it. `keys` name what the rows are about, so
 * that a row stays itself where others come and go.
 */
export const table = (
  name: string,
  titles: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Content>>,
  keys: ReadonlyArray<string> = []
) =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="${name}">
    <table>
      <thead>
        <tr>
          ${titles.map((title) => html`<th scope="col">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row, n) =>
            html`<tr${keys[n] !== undefined && html` data-key="${keys[n]}"`}>
              ${row.map((cell, at) => html`<td data-title="${titles[at]}">${cell}</td>`)}
            </tr>`
        )}
      </tbody>
    </table>
  </div>`

/** A template's name has no spaces: it may be broken after its underscores. */
export const breakable = (name: string): Content => name.split("_").map((word, at) => (at === 0 ? word : html`_<wbr />${word}`))
