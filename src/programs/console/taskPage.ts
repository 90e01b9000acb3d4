import { Clock, Effect, Layer } from "effect"
import { Audit } from "../../services/Audit.ts"
import { mayAct } from "../../services/People.ts"
import { MOST_IDS, search } from "../commands/whyFacts.ts"
import * as Story from "../commands/whyStory.ts"
import { html } from "./html.ts"
import { linked, taskAddress } from "./links.ts"
import * as AskAgain from "./askAgain.ts"
import * as Revoking from "./revoking.ts"
import { facts, minute, notice } from "./shell.ts"
import { act, confirm, type Form, goTo, page, parameter, refuse, type Visit } from "./visit.ts"

/** What has not answered by then counts as not reached (milliseconds). */
const PATIENCE = 10_000

const bodyOf = (person: Visit["person"], taskId: string, facts_: Parameters<typeof Story.tell>[0]) => {
  const iso = (at: number) => `${new Date(at).toISOString().replace("T", " ").slice(0, 19)} UTC`
  const story = Story.tell(facts_, iso)
  const runs = facts_.messages.length > 0
  return html`<h1>${story.task ?? "Task"} <small>${story.state}</small></h1>
    <p class="id">${taskId}</p>
    ${facts_.notReached.map(({ where, why }) => notice("note", `Not reached: ${where}: ${why}`))}
    ${
      runs &&
      mayAct(person.role, "operator") &&
      html`<form class="row" method="post" action="${taskAddress(taskId)}/revoke">
        <button class="reject" name="how" value="revoke">Revoke …</button>
        <span class="soft">It ends as REVOKED; a request that fal works on is cancelled.</span>
      </form>`
    }
    ${
      AskAgain.askedFor(facts_) !== undefined &&
      mayAct(person.role, "operator") &&
      html`<form class="row" method="post" action="${taskAddress(taskId)}/retry">
        <button>Ask for it once more …</button>
      </form>`
    }
    ${
      story.lines.length === 0
        ? notice("note", "No steps are kept: a task that pays nothing and goes well leaves none, and others are kept for a week.")
        : html`<ol class="line">
            ${story.lines.map(
              ({ at, says, worker }, n) =>
                html`<li>
                  <span class="when"
                    >${minute(at)}${n > 0 && html` <small>+${Story.duration(Math.max(0, at - (story.lines[n - 1]?.at ?? at)))}</small>`}</span
                  >
                  <span>${says}${worker !== "" && html` <small>${worker}</small>`}</span>
                </li>`
            )}
          </ol>`
    }
    ${facts(story.facts.filter(([name]) => name !== "").map(([name, says]) => [name, says]))}
    ${facts_.row !== undefined && html`<p><a href="/pictures/${facts_.row.id}">Its picture</a></p>`}`
}

/** One task's life, as `why` tells it. */
const task = page("/tasks/:id", "viewer", ({ person, query }) =>
  Effect.gen(function* () {
    const id = yield* parameter("id")
    const until = { at: (yield* Clock.currentTimeMillis) + PATIENCE, patience: PATIENCE }
    const found = yield* search(id, until)
    if (found._tag === "None")
      return yield* refuse(
        404,
        "No such task is known. One that paid nothing and went well is known only for as long as its result is kept."
      )
    const said =
      (query.get("revoked") !== null && notice("good", "The workers were told.")) ||
      (query.get("retried") !== null && notice("good", "It is on its queue."))
    if (found._tag === "Several")
      return {
        title: "Tasks",
        here: "/work",
        body: html`<h1>Several tasks begin so</h1>
          <ul>
            ${found.ids.map((one) => html`<li>${linked(one)}</li>`)}
          </ul>
          ${found.more && html`<p>And more than these ${MOST_IDS}.</p>`}`
      }
    return { title: "Task", here: "/work", body: html`${said}${bodyOf(person, found.facts.taskId, found.facts)}` }
  })
)

const revoke = act("/tasks/:id/revoke", "operator", (visit, { sure }: Form) =>
  Effect.gen(function* () {
    const id = yield* parameter("id")
    if (sure !== "1")
      return confirm(
        visit,
        "/work",
        "Revoke this task",
        html`The task ${id} ends as REVOKED, wherever it is. A picture that fal is making of it may still be paid.`,
        {}
      )
    yield* Revoking.revoke(visit.person.name, [id])
    return goTo(`${taskAddress(id)}?revoked=`)
  })
)

const retry = act("/tasks/:id/retry", "operator", (visit, { sure }: Form) =>
  Effect.gen(function* () {
    const id = yield* parameter("id")
    const audit = yield* Audit
    const found = yield* search(id, { at: (yield* Clock.currentTimeMillis) + PATIENCE, patience: PATIENCE })
    const asked = found._tag === "One" && found.facts.taskId === id ? AskAgain.askedFor(found.facts) : undefined
    if (found._tag !== "One" || asked === undefined)
      return yield* refuse(409, "It cannot be asked for again: it has not failed, or its result does not say what it asked for.")
    if (sure !== "1")
      return confirm(
        visit,
        taskAddress(id),
        "Ask for it once more",
        html`${asked.name} is sent with the same arguments, as a task of its own for the account of the console.
        ${yield* AskAgain.costOf(asked)}`,
        {}
      )
    const again = yield* AskAgain.askAgain(found.facts, asked)
    yield* audit.record({ who: visit.person.name, action: "asked for a task again", subject: id, detail: { task_id: again } })
    return goTo(`${taskAddress(again)}?retried=`)
  })
)

export const routes = Layer.mergeAll(task, revoke, retry)
