import { Effect, Option } from "effect"
import { type Found, headersOf, PRIORITIES, QueueInspector, type QueueStatus } from "../../services/QueueInspector.ts"
import * as Text from "../../wire/Text.ts"
import { ago } from "../commands/diagnosis.ts"
import { html } from "./html.ts"
import { minute, notice, table } from "./shell.ts"
import { linked } from "./taskPage.ts"
import { page } from "./visit.ts"

/** So many tasks stand on a page. */
const MOST = 200

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
    }),
    found.map(({ taskId }) => taskId)
  )

/** Whether a task is meant: by the beginning of its id, or by words of its name, its arguments or its caller. */
const isMeant = (one: Found, words: string) =>
  one.taskId.startsWith(words) ||
  ["task", "kwargsrepr", "x-caller", "origin"].some((name) =>
    (Text.textOf(headersOf(one)[name]) ?? "").toLowerCase().includes(words.toLowerCase())
  )

/** The queue, who works on it, and the tasks in it. */
export const route = page("/work", "viewer", ({ query }) =>
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
      live: { about: ["work"], every: 400 },
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
