import { anything, type Filter, VERDICTS } from "../../services/Reviews.ts"
import * as Parameters from "../generation/tasks/Parameters.ts"
import { html, query } from "./html.ts"

/** Which pictures an address is about. */

const DAY = 86_400_000
/** No value of a row is longer. */
const LONGEST = 200

export const names = [
  "q",
  "gender",
  "age_range",
  "body_type",
  "pose",
  "style",
  "verdict",
  "model",
  "template",
  "from",
  "until"
] as const
type Name = (typeof names)[number]

/** What cannot be meant is left out, as is what is empty. */
export const filterOf = (asked: URLSearchParams): Filter => {
  const all = (name: Name) => {
    const values = asked.getAll(name).filter((value) => value !== "" && value.length <= LONGEST)
    return values.length === 0 ? null : values
  }
  const one = (name: Name) => all(name)?.[0] ?? null
  const day = (name: Name, later: number) => {
    const text = one(name)
    const at = text !== null && /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN
    return Number.isNaN(at) ? null : at + later
  }
  return {
    ...anything,
    templateId: one("template"),
    gender: all("gender"),
    ageRange: all("age_range"),
    bodyType: all("body_type"),
    pose: all("pose"),
    style: all("style"),
    since: day("from", 0),
    before: day("until", DAY),
    verdict: VERDICTS.find((verdict) => verdict === one("verdict")) ?? null,
    model: one("model"),
    text: one("q")
  }
}

/** The address of the same pictures, at another place or from another row on. */
export const addressOf = (path: string, asked: URLSearchParams, over: Readonly<Partial<Record<Name | "after", string>>> = {}) =>
  path + query({ ...Object.fromEntries(names.map((name) => [name, asked.getAll(name)])), ...over })

const select = (asked: URLSearchParams, name: Name, title: string, values: ReadonlyArray<string>) =>
  html`<label
    >${title}
    <select name="${name}">
      <option value="">any</option>
      ${values.map((value) => html`<option${asked.get(name) === value && html` selected`}>${value}</option>`)}
    </select></label
  >`
const input = (asked: URLSearchParams, name: Name, title: string, type: string) =>
  html`<label>${title} <input name="${name}" type="${type}" value="${asked.get(name)}" /></label>`

/** The form that makes such addresses. `verdicts` is false where only one verdict is meant. */
export const form = (path: string, asked: URLSearchParams, verdicts: boolean) => {
  const narrowed = names.some((name) => name !== "q" && (asked.get(name) ?? "") !== "")
  return html`<form class="filters" method="get" action="${path}" role="search">
  <label class="search"><span class="unseen">Words of the prompt or the template</span>
    <input name="q" type="search" value="${asked.get("q")}" placeholder="Words of the prompt or the template"></label>
  <button>Show</button>
  ${narrowed && html`<a href="${path}">Show all</a>`}
  <details${narrowed && html` open`}><summary>Narrow down</summary><div class="fields">
    ${select(asked, "gender", "Gender", Parameters.genders)}
    ${select(asked, "age_range", "Age", Parameters.ageRanges)}
    ${select(asked, "body_type", "Body", Parameters.bodyTypes)}
    ${select(asked, "pose", "Pose", Parameters.poses)}
    ${select(asked, "style", "Style", Parameters.styles)}
    ${verdicts && select(asked, "verdict", "Verdict", VERDICTS)}
    ${input(asked, "template", "Template", "text")}
    ${input(asked, "model", "Model", "text")}
    ${input(asked, "from", "From (UTC)", "date")}
    ${input(asked, "until", "Until", "date")}
  </div></details>
</form>`
}
