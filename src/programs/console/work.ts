import { Effect, Layer, Option } from "effect"
import { mayAct } from "../../services/People.ts"
import { type Found, headersOf, PRIORITIES, QueueInspector, type QueueStatus } from "../../services/QueueInspector.ts"
import * as Text from "../../wire/Text.ts"
import { ago } from "../commands/diagnosis.ts"
import { ended } from "./ended.ts"
import { type Content, html } from "./html.ts"
import { minute, notice, table } from "./shell.ts"
import { linked } from "./links.ts"
import { revoke } from "./revoking.ts"
import { running } from "./running.ts"
import { act, confirm, type Form, goTo, page, refuse } from "./visit.ts"

/** So many tasks stand on a page. */
const MOST = 200
/** So many are looked at for those that match. */
const MOST_SEARCHED = 10_000

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

/** A worker names its tasks with every beat; how many it holds is known at once. */
const doing = ({ consuming, doing, holds }: QueueStatus["workers"][number]) =>
  !consuming && doing !== "" ? doing : holds === 0 ? "waiting for a task" : holds === 1 ? "one task" : `${holds} tasks`

const workers = (status: QueueStatus) =>
  status.workers.length === 0
    ? notice("note", "No worker of model-generator has reported. Stock Celery workers do not.")
    : table(
        "Workers",
        ["Worker", "State", "Doing", "Done", "Last beat", "Host", "Version"],
        status.workers.map((worker) => [
          worker.name,
          stateOf(worker),
          doing(worker),
          worker.processed,
          `${ago(worker.beatSecondsAgo)} ago`,
          worker.host,
          worker.version
        ])
      )

/** The tasks that wait: whoever may revoke them can choose some, or all that match. */
const tasks = (found: ReadonlyArray<Found>, mayChoose: boolean) =>
  table(
    "Tasks",
    [...(mayChoose ? ["Choose"] : []), "Task", "Name", "Arguments", "Caller", "Queue", "Where"],
    found.map((one) => {
      const headers = headersOf(one)
      return [
        ...(mayChoose ? [html`<input type="checkbox" name="id" value="${one.taskId}" aria-label="Choose ${one.taskId}" />`] : []),
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
  words === "" ||
  one.taskId.startsWith(words) ||
  ["task", "kwargsrepr", "x-caller", "origin"].some((name) =>
    (Text.textOf(headersOf(one)[name]) ?? "").toLowerCase().includes(words.toLowerCase())
  )

/** Those that are meant, among the first of each queue; `all`: there are no others. */
const meant = Effect.fnUntraced(function* (words: string, limit: number) {
  const inspector = yield* QueueInspector
  const { all, found } = yield* inspector.find("", limit)
  return { all: all && found.length < limit, found: found.filter((one) => isMeant(one, words)) }
})
const wordsOf = (text: string | null | undefined) => (text ?? "").trim().slice(0, 200)

const choosing = (words: string, count: number, all: boolean, table: Content) =>
  html`<form method="post" action="/work">
    <div class="row">
      <button name="deed" value="revoke" class="reject">Revoke the chosen …</button>
      <label class="check"
        ><input type="checkbox" name="all" value="1" /> all ${all ? count : html`${count} and more`} that
        ${words === "" ? "wait or run" : "match"}</label
      >
      <input type="hidden" name="q" value="${words}" />
    </div>
    ${table}
  </form>`

/** The queue, who works on it, and the tasks in it. */
const overview = page("/work", "viewer", ({ person, query }) =>
  Effect.gen(function* () {
    const inspector = yield* QueueInspector
    const words = wordsOf(query.get("q"))
    const failed = query.get("ended") === "failed"
    const [status, { all, found }] = yield* Effect.all(
      [inspector.status, meant(words, words === "" ? MOST + 1 : MOST_SEARCHED)],
      {
        concurrency: 2
      }
    )
    const shown = found.slice(0, MOST)
    const mayChoose = mayAct(person.role, "operator")
    return {
      title: "Work",
      here: "/work",
      wide: true,
      live: { about: ["work"], every: 400 },
      body: html`<h1>Work</h1>
        ${query.get("revoked") !== null && notice("good", "The workers were told.")} ${queues(status)}
        <p class="soft below">${status.scheduled} scheduled for later, ${status.unacknowledged} unacknowledged in all.</p>
        <h2>Workers</h2>
        ${workers(status)}
        <h2>Running</h2>
        ${yield* running(found, status.workers)}
        <h2>Tasks</h2>
        <form class="filters" method="get" action="/work" role="search">
          <label class="search"
            ><span class="unseen">A task's id, or words of its arguments or caller</span>
            <input name="q" type="search" value="${words}" placeholder="A task's id, or words of its arguments or caller"
          /></label>
          <button>Show</button>
        </form>
        ${
          shown.length === 0
            ? notice(
                "note",
                words === ""
                  ? "No task waits or runs."
                  : html`No such task waits or runs. One that has ended is found by its id: ${linked(words)}.`
              )
            : mayChoose
              ? choosing(words, found.length, all, tasks(shown, true))
              : tasks(shown, false)
        }
        ${(!all || found.length > MOST) && html`<p class="soft below">There are more than these.</p>`}
        <h2>Ended lately</h2>
        <p class="soft">
          ${
            failed
              ? html`Those that have not gone well. <a href="/work">Show all</a>`
              : html`<a href="/work?ended=failed">Only those that have not gone well</a>`
          }
        </p>
        ${yield* ended(failed)}`
    }
  })
)

/** Revokes the chosen tasks, or all that match: those that there are when it is confirmed, if they are no more than were shown. */
const choose = act("/work", "operator", (visit, { all, count = "", id = "", q, sure }: Form) =>
  Effect.gen(function* () {
    const words = wordsOf(q)
    const chosen = new Set(id.split(" "))
    const tasks = (yield* meant(words, MOST_SEARCHED)).found.filter(({ taskId }) => all === "1" || chosen.has(taskId))
    const ids = [...new Set(tasks.map(({ taskId }) => taskId))]
    if (ids.length === 0) return yield* refuse(400, "No task is chosen that is still there.")
    const running = tasks.filter(({ where }) => where._tag === "Held").length
    if (sure !== "1" || ids.length > Number(count))
      return confirm(
        visit,
        "/work",
        ids.length === 1 ? "Revoke one task" : `Revoke ${ids.length} tasks`,
        `They end as REVOKED. ${running === 0 ? "None of them runs yet, so nothing is paid for them." : `${running} of them may run: a picture that fal is making may still be paid.`}`,
        { q: words, count: String(ids.length), ...(all === "1" ? { all } : { id: ids.join(" ") }) }
      )
    yield* revoke(visit.person.name, ids)
    return goTo("/work?revoked=")
  })
)

export const routes = Layer.mergeAll(overview, choose)
