import { Clock, Effect, Layer, Option } from "effect"
import { Audit } from "../../services/Audit.ts"
import { type Buried, DeadLetters } from "../../services/DeadLetters.ts"
import { Fleet, REVOKED_FOR } from "../../services/Fleet.ts"
import { mayAct } from "../../services/People.ts"
import { type Found, PRIORITIES, QueueInspector, type QueueStatus } from "../../services/QueueInspector.ts"
import * as Text from "../../wire/Text.ts"
import { read } from "../commands/deadLetter.ts"
import { ago } from "../commands/diagnosis.ts"
import { MOST_IDS, search } from "../commands/whyFacts.ts"
import * as Story from "../commands/whyStory.ts"
import { html } from "./html.ts"
import { facts, minute, notice, table } from "./shell.ts"
import { act, confirm, type Form, goTo, page, parameter, refuse, type Visit } from "./visit.ts"

/** So many tasks, and so many dead letters, stand on a page. */
const MOST = 200
/** What has not answered by then counts as not reached (milliseconds). */
const PATIENCE = 10_000

const taskAddress = (id: string) => `/tasks/${encodeURIComponent(id)}`
/** An address has no place for every id: a dot alone, or two, would be another place. */
const linked = (id: string) => (/^\.*$/.test(id) ? id : html`<a href="${taskAddress(id)}">${id}</a>`)

const headersOf = ({ outline }: Found): Readonly<Record<string, unknown>> => {
  const headers = outline["headers"]
  return typeof headers === "object" && headers !== null ? (headers as Readonly<Record<string, unknown>>) : {} // just tested
}

const placeOf = ({ where }: Found) => {
  switch (where._tag) {
    case "Waiting":
      return where.before === 0 ? "first in line" : `${where.before} before it`
    case "Held":
      return `held by ${where.worker ?? "a worker that is not known here"}`
    case "Parked":
      return html`parked until ${minute(where.due)}`
  }
}

const queues = (status: QueueStatus) =>
  table(
    "Queues",
    ["Queue", ...PRIORITIES.map((priority) => `Priority ${priority}`), "Oldest", "Dead letters"],
    status.queues.map(({ dead, oldestSeconds, queue, ready }) => [
      queue,
      ...PRIORITIES.map((priority) => ready[priority]),
      Option.match(oldestSeconds, { onNone: () => "", onSome: ago }),
      dead === 0 ? 0 : html`<a href="/dead">${dead}</a>`
    ])
  )

const stateOf = ({ alive, consuming }: QueueStatus["workers"][number]) =>
  !alive
    ? html`<span class="badge rejected">gone</span>`
    : consuming
      ? html`<span class="badge approved">takes tasks</span>`
      : html`<span class="badge rejected">takes nothing</span>`

const workers = (status: QueueStatus) =>
  status.workers.length === 0
    ? notice("note", "No worker of model-generator has reported. Stock Celery workers do not.")
    : table(
        "Workers",
        ["Worker", "State", "Doing", "Holds", "Done", "Last beat", "Host", "Version"],
        status.workers.map((worker) => [
          worker.name,
          stateOf(worker),
          worker.doing === "" ? "waiting for a task" : worker.doing,
          worker.holds,
          worker.processed,
          `${ago(worker.beatSecondsAgo)} ago`,
          worker.host,
          worker.version
        ])
      )

const tasks = (found: ReadonlyArray<Found>) =>
  table(
    "Tasks",
    ["Task", "Name", "Arguments", "Caller", "Queue", "Where"],
    found.map((one) => {
      const headers = headersOf(one)
      return [
        linked(one.taskId),
        Text.textOf(headers["task"]),
        Text.shorten(Text.textOf(headers["kwargsrepr"]) ?? "", 120),
        Text.textOf(headers["x-caller"]) ?? Text.textOf(headers["origin"]),
        one.queue,
        placeOf(one)
      ]
    })
  )

/** Whether a task is meant: by the beginning of its id, or by words of its name, its arguments or its caller. */
const isMeant = (one: Found, words: string) =>
  one.taskId.startsWith(words) ||
  ["task", "kwargsrepr", "x-caller", "origin"].some((name) =>
    (Text.textOf(headersOf(one)[name]) ?? "").toLowerCase().includes(words.toLowerCase())
  )

/** The queue, who works on it, and the tasks in it. */
const overview = page("/work", "viewer", ({ query }) =>
  Effect.gen(function* () {
    const inspector = yield* QueueInspector
    const words = (query.get("q") ?? "").trim().slice(0, 200)
    const [status, { all, found }] = yield* Effect.all([inspector.status, inspector.find("", words === "" ? MOST : 10_000)], {
      concurrency: 2
    })
    const meant = words === "" ? found : found.filter((one) => isMeant(one, words))
    const shown = meant.slice(0, MOST)
    return {
      title: "Work",
      here: "/work",
      wide: true,
      body: html`<h1>Work</h1>
        ${queues(status)}
        <p class="soft below">${status.scheduled} scheduled for later, ${status.unacknowledged} unacknowledged in all.</p>
        <h2>Workers</h2>
        ${workers(status)}
        <h2>Tasks</h2>
        <form class="filters" method="get" action="/work" role="search">
          <label class="search"
            ><span class="unseen">A task's id, or words of its arguments or caller</span>
            <input name="q" type="search" value="${words}" placeholder="A task's id, or words of its arguments or caller"
          /></label>
          <button>Show</button>
        </form>
        ${shown.length === 0 ? notice("note", words === "" ? "No task waits or runs." : html`No such task waits or runs. One that has ended is found by its id: ${linked(words)}.`) : tasks(shown)}
        ${(!all || meant.length > MOST) && html`<p class="soft below">There are more than these.</p>`}`
    }
  })
)

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
    const said = query.get("revoked") !== null && notice("good", "The workers were told.")
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
    const fleet = yield* Fleet
    const audit = yield* Audit
    const now = yield* Clock.currentTimeMillis
    yield* audit.record({ who: visit.person.name, action: "revoked a task", subject: id, detail: {} })
    // For workers that start later; the others hear it now.
    yield* fleet.remember("ids", new Map([[id, now + REVOKED_FOR]]))
    yield* fleet.ask({
      method: "revoke",
      arguments: { task_id: id, terminate: true, signal: "SIGTERM" },
      destination: null,
      clock: 1,
      patience: 1000
    })
    return goTo(`${taskAddress(id)}?revoked=`)
  })
)

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

export const routes = Layer.mergeAll(overview, task, revoke, dead, decideDead)
