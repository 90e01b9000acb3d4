import { Effect, Layer } from "effect"
import { Audit } from "../../services/Audit.ts"
import { type Buried, DeadLetters } from "../../services/DeadLetters.ts"
import { mayAct } from "../../services/People.ts"
import * as Text from "../../wire/Text.ts"
import { read } from "../commands/deadLetter.ts"
import { html } from "./html.ts"
import { notice, table } from "./shell.ts"
import { linked } from "./links.ts"
import { act, confirm, type Form, goTo, page, refuse } from "./visit.ts"

/** So many dead letters stand on a page. */
const MOST = 200

const DONE = { redrive: "They are on their queue again.", drop: "They are gone for good." } as const
type Deed = keyof typeof DONE
const isDeed = (text: string | undefined): text is Deed => text === "redrive" || text === "drop"

/** Messages that no worker runs again until a person has decided. */
const dead = page("/dead", "viewer", ({ person, query }) =>
  Effect.gen(function* () {
    const deadLetters = yield* DeadLetters
    const letters = (yield* deadLetters.list(MOST)).map(read)
    const mayDecide = mayAct(person.role, "operator")
    const done = query.get("done") ?? undefined
    const rows = letters.map(({ deliveries, error, id, reason, task, task_id, time, worker }) => [
      ...(mayDecide ? [html`<input type="checkbox" name="id" value="${id}" aria-label="Choose ${task_id ?? id}" />`] : []),
      time,
      task,
      task_id === null ? null : linked(task_id),
      Text.shorten([reason, error].filter((words) => words !== "").join(": "), 300),
      worker,
      deliveries
    ])
    const titles = [...(mayDecide ? ["Choose"] : []), "When", "Task", "Id", "Why", "Worker", "Deliveries"]
    return {
      title: "Dead letters",
      here: "/work",
      wide: true,
      body: html`<h1>Dead letters</h1>
        ${isDeed(done) && notice("good", DONE[done])} ${letters.length === 0 && notice("good", "There is none.")}
        ${
          letters.length > 0 &&
          (mayDecide
            ? html`<form method="post" action="/dead">
                <div class="row">
                  <button name="deed" value="redrive">Redrive the chosen …</button>
                  <button name="deed" value="drop" class="reject">Drop the chosen …</button>
                  <label class="check"><input type="checkbox" name="all" value="1" /> all ${letters.length}</label>
                </div>
                ${table("Dead letters", titles, rows)}
              </form>`
            : table("Dead letters", titles, rows))
        }
        ${letters.length === MOST && html`<p class="soft below">These are the newest ${MOST}.</p>`}`
    }
  })
)

const decideDead = act("/dead", "operator", (visit, form: Form) =>
  Effect.gen(function* () {
    const { all, deed, id = "", sure } = form
    if (!isDeed(deed)) return yield* refuse(400, "This is nothing that can be done.")
    const deadLetters = yield* DeadLetters
    const audit = yield* Audit
    const chosen = new Set(id.split(" "))
    const letters = (yield* deadLetters.list(MOST)).filter(({ id }) => all === "1" || chosen.has(id))
    if (letters.length === 0) return yield* refuse(400, "No dead letter is chosen that is still there.")
    const ids = letters.map(({ id }) => id).join(" ")
    const many = letters.length === 1 ? "one message" : `${letters.length} messages`
    if (sure !== "1")
      return deed === "redrive"
        ? confirm(
            visit,
            "/work",
            "Redrive",
            `Puts ${many} back on its queue, with its crashes forgotten. What they ask for is made, and paid.`,
            { deed, id: ids }
          )
        : confirm(visit, "/work", "Drop", `Deletes ${many} for good. Their tasks never end for whoever waits for them.`, {
            deed,
            id: ids
          })
    const act = (letter: Buried) => (deed === "redrive" ? deadLetters.redrive(letter) : deadLetters.drop(letter))
    for (const letter of letters) {
      const { task_id } = read(letter)
      const action = deed === "redrive" ? "redrove a dead letter" : "dropped a dead letter"
      yield* audit.record({ who: visit.person.name, action, subject: task_id ?? "", detail: { letter: letter.id } })
      yield* act(letter)
    }
    return goTo(`/dead?done=${deed}`)
  })
)

export const routes = Layer.mergeAll(dead, decideDead)
