import { Clock, Effect, Layer } from "effect"
import { Audit } from "../../services/Audit.ts"
import { Budget, leftOf, nameOf, type Standing } from "../../services/Budget.ts"
import { type Grouping, Ledger } from "../../services/Ledger.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"
import { mayAct } from "../../services/People.ts"
import * as Forecast from "../commands/forecast.ts"
import { Reviews } from "../../services/Reviews.ts"
import { html } from "./html.ts"
import { figures, minute, notice, table } from "./shell.ts"
import { act, confirm, type Form, goTo, page, refuse } from "./visit.ts"

const { dollars } = NanoDollars
const keyOf = ({ span, subject }: Standing) => `${span} ${subject}`

const budgets = (standings: ReadonlyArray<Standing>) =>
  table(
    "Budgets",
    ["Of", "Period", "Used", "Limit", "Left", "Ends", "By hand"],
    standings.map((standing) => {
      const left = leftOf(standing)
      return [
        standing.subject === "all" ? "all" : standing.subject,
        `${standing.span} ${standing.period}`,
        dollars(standing.used),
        standing.limit === null ? "no cap" : dollars(standing.limit),
        left === null ? "" : left === 0 ? html`<span class="badge rejected">$0.00</span>` : dollars(left),
        minute(standing.ends * 1000),
        standing.override !== null && html`until ${minute(standing.override.until * 1000)}`
      ]
    })
  )

/** A limit for the rest of a period. One for longer, or for an hour, is set by `model-generator budget`. */
const changes = (standings: ReadonlyArray<Standing>) =>
  html`<form class="row below" method="post" action="/money">
    <label
      >Budget
      <select name="budget">
        ${standings.map((standing) => html`<option value="${keyOf(standing)}">${nameOf(standing)}</option>`)}
      </select></label
    >
    <label>US dollars <input name="dollars" inputmode="decimal" pattern="\\d{1,7}(\\.\\d{1,9})?" /></label>
    <button name="deed" value="set">Set until its period ends …</button>
    <button name="deed" value="clear">Back to the settings …</button>
  </form>`

const GROUPS: ReadonlyArray<readonly [by: Grouping, title: string]> = [
  ["day", "Day"],
  ["caller", "Caller"],
  ["model", "Model"],
  ["outcome", "Outcome"]
]

/** What was paid in this month, by what one asks for. */
const spent = Effect.fnUntraced(function* (by: Grouping, title: string, since: number) {
  const ledger = yield* Ledger
  const totals = yield* ledger.totals(by, { since, until: null })
  return html`<h2>By ${title.toLowerCase()}</h2>
    ${table(
      `By ${title.toLowerCase()}`,
      [title, "Requests", "Cost", "Of it estimated", "Without a price"],
      totals.map(({ cost, estimated, key, requests, unpriced }) => [
        key,
        requests,
        dollars(cost),
        estimated === 0 ? "" : dollars(estimated),
        unpriced === 0 ? "" : unpriced
      ])
    )}`
})

const overview = page("/money", "viewer", ({ person, query }) =>
  Effect.gen(function* () {
    const budget = yield* Budget
    const { reservations, reserved, standings } = yield* budget.status
    const { daily, month, soFar, total } = yield* Forecast.forecast
    const since = Date.parse(`${month}-01T00:00:00Z`)
    const approved = yield* (yield* Reviews).approved({ since, until: null })
    return {
      title: "Money",
      here: "/money",
      wide: true,
      live: { about: ["money"], every: 5000 },
      body: html`<h1>Money</h1>
        ${query.get("done") !== null && notice("good", "The workers keep to it now. Tasks that wait for money go on within half a minute.")}
        ${figures([
          [`paid in ${month}`, dollars(soFar)],
          [
            approved === 1 ? "for its approved picture" : `for each of its ${approved} approved pictures`,
            approved === 0 ? null : `$${(NanoDollars.toUsd(soFar) / approved).toFixed(4)}`
          ],
          ["it will come to about", total === undefined ? null : `$${NanoDollars.toUsd(total).toFixed(2)}`],
          ["a day, lately", daily === undefined ? null : `$${NanoDollars.toUsd(daily.amount).toFixed(2)}`],
          ["reserved", dollars(reserved)],
          ["for requests under way", reservations]
        ])}
        <h2>Budgets</h2>
        ${budgets(standings)} ${mayAct(person.role, "operator") && changes(standings)}
        ${yield* Effect.forEach(GROUPS, ([by, title]) => spent(by, title, since))}
        <p class="soft below">
          Days and months are those of UTC. A cost is what fal has billed where <code>model-generator reconcile</code> has seen
          the bill, else the list price.
        </p>`
    }
  })
)

const change = act("/money", "operator", (visit, { budget: key = "", deed, dollars: text = "", sure }: Form) =>
  Effect.gen(function* () {
    const budget = yield* Budget
    const audit = yield* Audit
    const { standings } = yield* budget.status
    const standing = standings.find((one) => keyOf(one) === key)
    if (standing === undefined) return yield* refuse(400, "There is no such budget.")
    const { cap, ends, span, subject, used } = standing
    const by = { who: visit.person.name, subject: nameOf(standing) }
    switch (deed) {
      case "set": {
        const limit = NanoDollars.parse(text)
        if (limit === undefined) return yield* refuse(400, "The limit is an amount in US dollars, such as 5 or 0.50.")
        const says = html`Sets ${nameOf(standing)} to ${dollars(limit)} until ${minute(ends * 1000)}, for all workers.
        ${dollars(used)} of it are used.`
        if (sure !== "1") return confirm(visit, "/money", "Set the budget", says, { budget: key, deed, dollars: text })
        const until = Math.max(ends, Math.ceil((yield* Clock.currentTimeMillis) / 1000))
        yield* audit.record({ ...by, action: "set a budget", detail: { usd: NanoDollars.toUsd(limit) } })
        yield* budget.override({ span, subject, limit }, until)
        return goTo("/money?done=")
      }
      case "clear": {
        const says = html`Lets the settings hold again for ${nameOf(standing)}: ${cap === null ? "no cap" : dollars(cap)}.`
        if (sure !== "1") return confirm(visit, "/money", "Back to the settings", says, { budget: key, deed })
        yield* audit.record({ ...by, action: "cleared a budget", detail: {} })
        yield* budget.restore(span, subject)
        return goTo("/money?done=")
      }
      default:
        return yield* refuse(400, "This is nothing that can be done.")
    }
  })
)

export const routes = Layer.mergeAll(overview, change)
