import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { Audit } from "../../services/Audit.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"
import { mayAct } from "../../services/People.ts"
import { Publisher } from "../../services/Publisher.ts"
import { anything, Reviews } from "../../services/Reviews.ts"
import * as Settings from "../../services/Settings.ts"
import * as NewMessage from "../celery/NewMessage.ts"
import { queueName } from "../commands/client.ts"
import { LAST } from "../commands/fill.ts"
import * as Story from "../commands/whyStory.ts"
import { type Cell, cells, filling } from "../generation/tasks/gaps.ts"
import * as Cost from "../generation/purchase/cost.ts"
import * as Parameters from "../generation/tasks/Parameters.ts"
import { targets } from "../generation/tasks/targets.ts"
import * as Filter from "./filter.ts"
import { html } from "./html.ts"
import { CALLER } from "./makeAgain.ts"
import { figures, notice } from "./shell.ts"
import { act, confirm, type Form, goTo, page, refuse } from "./visit.ts"

const sum = (all: ReadonlyArray<Cell>, of: (cell: Cell) => number) => all.reduce((total, cell) => total + of(cell), 0)

const link = ({ five }: Cell) => Filter.addressOf("/library", new URLSearchParams({ ...five }))

const state = ({ approved, inFlight, missing, undecided, wanted }: Cell) =>
  approved >= wanted ? "full" : missing > 0 ? "empty" : undecided > 0 ? "open" : inFlight > 0 ? "coming" : ""

/** For eyes in signs, for ears in words. */
const signs = (sign: string, words: string) => html`<span aria-hidden="true">${sign}</span><span class="unseen">${words} </span>`

const cellOf = (cell: Cell) => {
  const { approved, inFlight, templateId, undecided, wanted } = cell
  return html`<td class="${state(cell)}">
    <a href="${link(cell)}" title="${templateId}"
      >${signs(`${approved}/${wanted}`, `${approved} of ${wanted} approved`)}${
        undecided > 0 && signs(` ${undecided}?`, `${undecided} wait for review`)
      }${inFlight > 0 && signs(` +${inFlight}`, `${inFlight} in flight`)}</a
    >
  </td>`
}

const grid = (all: ReadonlyArray<Cell>) => {
  const byTemplate = new Map(all.map((cell) => [cell.templateId, cell]))
  const rows = Parameters.genders.flatMap((gender) =>
    Parameters.ageRanges.flatMap((age_range) => Parameters.bodyTypes.map((body_type) => ({ gender, age_range, body_type })))
  )
  return html`<div class="scroll" tabindex="0" role="region" aria-label="The combinations">
    <table class="matrix">
      <caption>
        approved / wanted · ? wait for review · + in flight
      </caption>
      <thead>
        <tr>
          <td></td>
          ${Parameters.poses.map((pose) => html`<th scope="colgroup" colspan="${Parameters.styles.length}">${pose}</th>`)}
        </tr>
        <tr>
          <td></td>
          ${Parameters.poses.map(() => Parameters.styles.map((style) => html`<th scope="col">${style}</th>`))}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              <th scope="row">${row.gender}, ${row.age_range}, ${row.body_type}</th>
              ${Parameters.poses.map(
                (pose) =>
                  Parameters.styles.map((style) => cellOf(byTemplate.get(Parameters.templateIdOf({ ...row, pose, style }))!)) // all 288 are there
              )}
            </tr>`
        )}
      </tbody>
    </table>
  </div>`
}

/** The newest pictures whose mean time is taken for those to come. */
const RECENT = 50
/** How long so many pictures take, where fal's limit is known, and how long the last ones took. */
const duration = Effect.fnUntraced(function* (pictures: number) {
  const { FAL_MAX_CONCURRENT } = yield* Settings.of("FAL_MAX_CONCURRENT").pipe(Effect.orDie)
  const reviews = yield* Reviews
  const took = (yield* reviews.list(anything, null, RECENT)).flatMap(({ processingTimeMs }) => processingTimeMs ?? [])
  if (FAL_MAX_CONCURRENT === 0 || pictures === 0 || took.length === 0) return null
  const each = took.reduce((total, one) => total + one, 0) / took.length
  return `about ${Story.duration((pictures * each) / FAL_MAX_CONCURRENT)}: ${FAL_MAX_CONCURRENT} at once, ${Story.duration(each)} each`
})

const look = Effect.gen(function* () {
  const standing = yield* cells(yield* targets)
  const missing = sum(standing.cells, (cell) => cell.missing)
  return { ...standing, missing, cost: yield* Cost.estimateOf(missing) }
})

const dollars = (amount: NanoDollars.NanoDollars | undefined) =>
  amount === undefined ? "an unknown price" : NanoDollars.dollars(amount)

const whole = page("/matrix", "viewer", ({ person, query }) =>
  Effect.gen(function* () {
    const { all, batches, cells, cost, missing } = yield* look
    const pictures = Math.min(missing, Parameters.MOST_AT_ONCE)
    return {
      title: "Matrix",
      here: "/matrix",
      wide: true,
      live: { about: ["library", "work"], every: 3000 },
      body: html`<h1>Matrix</h1>
        ${query.get("sent") !== null && notice("good", "The tasks are on their way, behind everything else in the queue.")}
        ${!all && notice("note", "The queue is too long to look at all of its tasks: more may be in flight than is shown.")}
        ${batches > 0 && notice("note", `${batches === 1 ? "A batch waits" : `${batches} batches wait`} in the queue, whose pictures are not counted here yet.`)}
        ${figures([
          ["wanted", sum(cells, (cell) => cell.wanted)],
          ["approved", sum(cells, (cell) => Math.min(cell.approved, cell.wanted))],
          ["to review", sum(cells, (cell) => cell.undecided)],
          ["in flight", sum(cells, (cell) => cell.inFlight)],
          ["missing", missing],
          ["to fill, by the list price", missing === 0 ? null : dollars(cost.total)],
          ["to make them", yield* duration(missing)]
        ])}
        ${
          missing > 0 &&
          mayAct(person.role, "operator") &&
          html`<form class="row" method="post" action="/matrix">
            <label
              >For at most (US dollars)
              <input name="most" inputmode="decimal" pattern="\\d{1,7}(\\.\\d{1,9})?" placeholder="any amount"
            /></label>
            <button class="primary">Fill ${pictures} ${pictures === 1 ? "gap" : "gaps"} …</button>
          </form>`
        }
        ${grid(cells)}`
    }
  })
)

/** How many pictures an amount pays for; null for a text that is no amount. */
const affordable = (text: string, each: NanoDollars.NanoDollars | undefined): number | null => {
  if (text === "") return Number.POSITIVE_INFINITY
  const most = NanoDollars.parse(text)
  if (most === undefined) return null
  return each === undefined || each === 0 ? 0 : Math.floor(most / each)
}

/** Asks, and once it is confirmed sends a batch for the gaps: the command's own, behind everything else. */
const fill = act("/matrix", "operator", (visit, { most = "", once = "", pictures = "", sure }: Form) =>
  Effect.gen(function* () {
    const { batches, cells, cost } = yield* look
    const limit = affordable(most.trim(), cost.each)
    if (limit === null) return yield* refuse(400, "An amount of dollars looks like 3 or 0.50.")
    const chosen = filling(cells, Math.min(limit, Parameters.MOST_AT_ONCE))
    if (chosen.length === 0) return yield* refuse(409, "There is nothing to fill for this amount.")
    if (batches > 0)
      return yield* refuse(409, "A batch waits in the queue whose pictures are not counted yet: fill once it is sent out.")
    const { total } = yield* Cost.estimateOf(chosen.length)
    if (sure !== "1" || !/^[\da-f-]{36}$/.test(once) || Number(pictures) !== chosen.length)
      return confirm(
        visit,
        "/matrix",
        "Fill the gaps",
        `${chosen.length} ${chosen.length === 1 ? "picture" : "pictures"}, for about ${dollars(total)} by the list price. ` +
          "They wait behind everything else in the queue, and for money where a budget has none left.",
        { most, pictures: String(chosen.length), once: randomUUID() }
      )
    const publisher = yield* Publisher
    const audit = yield* Audit
    const queue = yield* queueName
    const kwargs = { templates: chosen.map((five) => ({ ...five })) }
    const headers = { "x-caller": CALLER }
    const task = {
      id: once,
      task: "batch_generate",
      args: [],
      kwargs,
      queue,
      tag: randomUUID(),
      replyTo: randomUUID(),
      priority: LAST,
      headers
    }
    yield* publisher.publishOnce({ key: `console ${once}`, digest: "" }, once, [NewMessage.encode(task, CALLER)])
    yield* audit.record({
      who: visit.person.name,
      action: "had gaps filled",
      subject: once,
      detail: { pictures: chosen.length, about: dollars(total) }
    })
    return goTo("/matrix?sent=")
  })
)

export const routes = Layer.mergeAll(whole, fill)
